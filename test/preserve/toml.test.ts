import { preserves } from './preserves.ts';

preserves('toml');
