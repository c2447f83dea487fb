/** What an error of the filesystem means for a store. */
import { HoldfastError } from '../failures.ts';
import type { FailureCode } from '../failures.ts';

const MEANINGS: Readonly<Record<string, FailureCode>> = {
  ENOSPC: 'DiskFull',
  EDQUOT: 'DiskFull',
  EACCES: 'StoreDenied',
  EPERM: 'StoreDenied',
  EROFS: 'StoreDenied',
};

export function errorCode(cause: unknown): string | undefined {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
}

export function isMissing(cause: unknown): boolean {
  const code = errorCode(cause);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** `doing` says what was tried, such as `write chunks/ab/…`. */
export function directoryFailure(label: string, doing: string, cause: unknown): HoldfastError {
  if (cause instanceof HoldfastError) return cause;
  const code = errorCode(cause);
  const known = code === undefined ? undefined : MEANINGS[code];
  const what = code ?? (cause instanceof Error ? cause.message : String(cause));
  return new HoldfastError(known ?? 'StoreUnreachable', `The ${label} does not let us ${doing}: ${what}.`, { cause });
}
