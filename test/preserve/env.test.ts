import { preserves } from './preserves.ts';

preserves('env');
