/** The page's process, as `up` keeps it running: beside the workers, so that it can neither block nor end them. */
import path from 'node:path';
import { compileCacheDirectory } from '../system/cache.ts';
import { logFile } from './state.ts';
import type { ChildSpec } from './supervised.ts';

const PAGE = path.resolve(import.meta.dirname, '..', 'page', 'main.ts');
const STOP_LIMIT_MS = 5_000;
/** A leak ends the page and not the host. */
const NODE_OPTIONS = '--max-old-space-size=384 --max-semi-space-size=4';

export interface PageOptions {
  /** Exactly this port. Default: 8234, or a free one when that is taken. */
  readonly port?: number;
  /** Default: loopback. Anything else needs a token or a proxy. */
  readonly address?: string;
  /** As src/page/main.ts takes them: token, names, proxy, address of the UI. No secrets, only where they are. */
  readonly rules?: readonly string[];
}

export function pageSpec(port: number, { address = '127.0.0.1', rules = [] }: PageOptions): ChildSpec {
  const options = [process.env['NODE_OPTIONS'], NODE_OPTIONS].filter((part) => part !== undefined && part !== '');
  return {
    name: 'page',
    command: process.execPath,
    args: [PAGE, '--port', String(port), '--address', address, ...rules],
    env: { ...process.env, NODE_OPTIONS: options.join(' '), NODE_COMPILE_CACHE: compileCacheDirectory() },
    logFile: logFile('page'),
    stopLimitMs: STOP_LIMIT_MS,
  };
}

/** As people type it; an address that stands for all of a machine's is told as it is. */
export function pageUrl(port: number, address = '127.0.0.1'): string {
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
}
