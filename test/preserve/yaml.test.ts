import { preserves } from './preserves.ts';

preserves('yaml');
