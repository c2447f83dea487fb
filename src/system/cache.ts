/** What can be made again at any time and lies outside the tree and the home: tools, compiled files. */
import { homedir } from 'node:os';
import path from 'node:path';

/** HOLDFAST_CACHE, else $XDG_CACHE_HOME/holdfast, else ~/.cache/holdfast. Not created by this call. */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const own = environment['HOLDFAST_CACHE'];
  if (own !== undefined && own !== '') return path.resolve(own);
  const shared = environment['XDG_CACHE_HOME'];
  // The XDG specification says that a relative value is to be ignored.
  if (shared !== undefined && path.isAbsolute(shared)) return path.join(shared, 'holdfast');
  return path.join(homedir(), '.cache', 'holdfast');
}

/**
 * Where Node keeps what it stripped and compiled: NODE_COMPILE_CACHE, else below the cache. Not Node's own choice, which
 * is a name in the temporary directory that any user of the machine could take first and fill.
 */
export function compileCacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const own = environment['NODE_COMPILE_CACHE'];
  return own !== undefined && own !== '' ? own : path.join(cacheDirectory(environment), 'compiled');
}
