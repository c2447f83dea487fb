/** Errors of the operating system as failures an operator can act on. */
import type { FailureCode } from '../failures.ts';
import { HoldfastError } from '../failures.ts';

export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

export function isMissing(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

const CODES: Readonly<Record<string, FailureCode>> = {
  EACCES: 'PermissionDenied',
  EPERM: 'PermissionDenied',
  EROFS: 'PermissionDenied',
  ENOSPC: 'DiskFull',
  EDQUOT: 'DiskFull',
};

/**
 * The failure that an error means: itself when it is one already, a code of the catalogue for missing rights and a full
 * disk, `otherwise` for the rest. `doing` is what was tried, such as `read /srv/data`.
 */
export function failureOf(error: unknown, doing: string, otherwise: FailureCode = 'Internal'): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const code = CODES[errorCode(error) ?? ''] ?? otherwise;
  const reason = error instanceof Error ? error.message : String(error);
  return new HoldfastError(code, `Could not ${doing}: ${reason}`, { cause: error });
}

/** A path as text for messages: bytes that are no UTF-8 are shown as such. */
export function pathText(path: string | Uint8Array): string {
  return typeof path === 'string' ? path : Buffer.from(path).toString();
}
