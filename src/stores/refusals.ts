/** What every store says of objects that are there and out of reach for now. */
import { HoldfastError } from '../failures.ts';

/** `untilMs` is when the lock ends, where the store tells. */
export function lockedFailure(label: string, key: string, untilMs?: number, cause?: unknown): HoldfastError {
  const end = untilMs === undefined ? '' : ` until ${new Date(untilMs).toISOString()}`;
  const details = untilMs === undefined ? { key } : { key, untilMs };
  return new HoldfastError('StoreLocked', `The ${label} keeps ${key} locked${end}.`, { cause, details });
}

/** `storageClass` in the store's own words. */
export function frozenFailure(label: string, key: string, storageClass: string, cause?: unknown): HoldfastError {
  const what = `The ${label} holds ${key} in the class ${storageClass}, which has to be thawed before it is read.`;
  return new HoldfastError('ObjectFrozen', what, { cause, details: { key, storageClass } });
}
