/** Which keys a store accepts: nothing that could leave the vault, whatever a listing or a manifest says. */
import { HoldfastError } from '../failures.ts';

const SEGMENT = /^[A-Za-z0-9._:-]+$/;
const MAX_KEY_BYTES = 900;
/** Where the directory store writes first. Reserved in every store, so that vaults can be copied from one to another. */
export const TEMPORARY_AREA = '.tmp';
/** Small objects that a probe writes and removes: never locked, never in a class of its own. */
export const PROBE_PREFIX = 'probe/';

/** Returns the key. Throws BadInput when it is not `/`-separated segments of A-Z a-z 0-9 . _ - : without `.` or `..`. */
export function checkKey(key: string): string {
  const segments = key.split('/');
  if (key.length > MAX_KEY_BYTES || segments[0] === TEMPORARY_AREA || !segments.every(isSegment)) throw badKey(key);
  return key;
}

/** The same for the beginning of keys: empty, or cut off anywhere. */
export function checkPrefix(prefix: string): string {
  const segments = prefix.split('/');
  const last = segments.pop() ?? '';
  const lastFits = last === '' || SEGMENT.test(last);
  if (prefix.length > MAX_KEY_BYTES || !lastFits || !segments.every(isSegment)) throw badKey(prefix);
  return prefix;
}

export function isSegment(name: string): boolean {
  return SEGMENT.test(name) && name !== '.' && name !== '..';
}

function badKey(key: string): HoldfastError {
  return new HoldfastError('BadInput', `${JSON.stringify(key.slice(0, 120))} is not a key of a store.`);
}
