/** The list of what a sweep condemns: one key a line, and before them what tells whether all of them are there. */
import { HoldfastError } from '../../failures.ts';
import { sha256Hex } from '../names.ts';

/** `# <bytes>`, `# <its own key> <SHA-256 of the lines below>`, then the keys. Lines that begin with `#` are no keys. */
export function condemnedText(key: string, keys: readonly string[], bytes: number): string {
  const lines = keys.join('\n');
  return `# ${bytes}\n# ${key} ${sha256Hex(Buffer.from(lines))}\n${lines}`;
}

/** Throws ObjectCorrupt, Untrusted. Lists of earlier versions say nothing of themselves, and every line has to be a key. */
export function requireOwnList(key: string, text: string): void {
  const [counted = '', own = '', ...rest] = text.split('\n');
  const said = /^# (sweeps\/\S+) ([0-9a-f]{64})$/.exec(own);
  const lines = said === null ? [own, ...rest].filter((line) => line !== '') : rest;
  if (!/^# \d+$/.test(counted) || !lines.every((line) => line === '' || KEY.test(line))) {
    throw new HoldfastError('ObjectCorrupt', `${key} is no list of objects`, { details: { key } });
  }
  if (said === null) return;
  if (said[1] !== key) throw new HoldfastError('Untrusted', `${key} holds what was written as ${said[1] ?? ''}`);
  if (sha256Hex(Buffer.from(rest.join('\n'))) === said[2]) return;
  throw new HoldfastError('ObjectCorrupt', `${key} does not have the lines it was written with`, { details: { key } });
}

const KEY = /^(chunks|lists|sums)\/[0-9a-f]{2}\/[0-9a-f]{64}$/;
