/** The five systems, by name. */
import type { Example } from './example.ts';
import { btcdecoded } from './systems/btcdecoded.ts';
import { m2mConnector } from './systems/m2m-connector.ts';
import { tbcv } from './systems/tbcv.ts';
import { tracktion } from './systems/tracktion.ts';
import { watan } from './systems/watan.ts';

export const EXAMPLES: Readonly<Record<string, Example>> = {
  btcdecoded,
  'm2m-connector': m2mConnector,
  tbcv,
  tracktion,
  watan,
};
