/** The five systems, by name. */
import type { Example } from './example.ts';
import { tbcv } from './systems/tbcv.ts';
import { watan } from './systems/watan.ts';

export const EXAMPLES: Readonly<Record<string, Example>> = { tbcv, watan };
