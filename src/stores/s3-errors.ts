/** What an error of S3, of its SDK or of the network means for a store. */
import { HoldfastError } from '../failures.ts';
import { BrokenAnswerError } from './broken-answer.ts';
import { certificateCode, isNetworkFault, retryAfterMs } from './http-faults.ts';
import { SilenceError } from './retry.ts';

interface S3Fault {
  /** S3's error code, such as NoSuchKey; the error's own name otherwise. */
  readonly name: string;
  readonly status: number | undefined;
}

/** Taken for the whole, what is left out would seem not to be there. */
export function cutListing(): BrokenAnswerError {
  return new BrokenAnswerError('a listing that says it goes on and not where');
}

const TRANSIENT_NAMES = new Set([
  'ConditionalRequestConflict',
  'RequestTimeout',
  'RequestTimeTooSkewed',
  'SlowDown',
  'ThrottlingException',
  'TimeoutError',
  'InternalError',
  'BadDigest',
  'IncompleteBody',
]);
/** Statuses that say the request itself will never do, among those of the server's own faults. */
const NOT_IMPLEMENTED = 501;
const INSUFFICIENT_STORAGE = 507;

export function faultOf(cause: unknown): S3Fault {
  const name = field(cause, 'name');
  const status = field(field(cause, '$metadata'), 'httpStatusCode') ?? field(field(cause, '$response'), 'statusCode');
  return {
    name: typeof name === 'string' ? name : 'Error',
    status: typeof status === 'number' ? status : undefined,
  };
}

/** True for what may be gone a moment later: overload, lost connections, silence, bodies cut short. */
export function isTransient(cause: unknown): boolean {
  if (cause instanceof SilenceError || cause instanceof BrokenAnswerError) return true;
  if (cause instanceof HoldfastError) return false;
  const fault = faultOf(cause);
  if (TRANSIENT_NAMES.has(fault.name)) return true;
  const { status } = fault;
  if (status === 429 || status === 408) return true;
  if (status !== undefined && status >= 500) return status !== NOT_IMPLEMENTED && status !== INSUFFICIENT_STORAGE;
  if (isNetworkFault(cause)) return true;
  // An answer of 200 whose body cannot be parsed was cut, or came from something in between.
  return status !== undefined && status < 300;
}

export function isPreconditionFailed(cause: unknown): boolean {
  const { name, status } = faultOf(cause);
  return status === 412 || name === 'PreconditionFailed';
}

/** By name only: a server may answer 404 to unknown credentials, too. HEAD has no body, so there it is just NotFound. */
export function isNotFound(cause: unknown): boolean {
  const { name } = faultOf(cause);
  return name === 'NoSuchKey' || name === 'NotFound';
}

/** By the lock's own words where a server has such: AWS answers AccessDenied, MinIO InvalidRequest. */
export function speaksOfLock(cause: unknown): boolean {
  const { status } = faultOf(cause);
  const refused = status === 403 || status === 400;
  return refused && cause instanceof Error && /object lock|object is locked|\bWORM\b/i.test(cause.message);
}

/** GetObject's answer for what lies in an archive class and was not restored. */
export function isFrozen(cause: unknown): boolean {
  return faultOf(cause).name === 'InvalidObjectState';
}

/** How long S3 asks to be left alone. */
export function askedPauseMs(cause: unknown): number | undefined {
  return retryAfterMs(field(field(cause, '$response'), 'headers'));
}

/** `doing` says what was tried, such as `write chunks/ab/…`. */
export function s3Failure(label: string, doing: string, cause: unknown): HoldfastError {
  if (cause instanceof HoldfastError) return cause;
  const { name, status } = faultOf(cause);
  const what = describe(cause, name, status).replace(/\.+$/, '');
  const text = (why: string) => `The ${label} does not let us ${doing}: ${why}.`;
  if (status === INSUFFICIENT_STORAGE || name === 'QuotaExceeded' || name === 'XMinioStorageFull') {
    return new HoldfastError('DiskFull', text(what), { cause });
  }
  if (name === 'NoSuchBucket') {
    const hint = 'Create the bucket, or correct its name, endpoint and region in the system file.';
    return new HoldfastError('StoreDenied', text('the bucket does not exist'), { cause, hint });
  }
  const distrust = certificateCode(cause);
  if (distrust !== undefined) {
    const hint = 'Name the authority of its certificate as caFile in the system file, or correct the endpoint.';
    return new HoldfastError('StoreDenied', text(`its certificate is not trusted (${distrust})`), { cause, hint });
  }
  if (status === 400 && /ObjectLockConfiguration/i.test(what)) {
    const hint = 'The bucket was made without Object Lock; `holdfast store setup` says what it needs.';
    return new HoldfastError('StoreDenied', text(what), { cause, hint });
  }
  if (status === NOT_IMPLEMENTED) return new HoldfastError('StoreUnfit', text(what), { cause });
  if (name === 'RequestTimeTooSkewed') {
    const told = text(`the clock of this machine is off: it is ${new Date().toISOString()} here, and not there`);
    return new HoldfastError('StoreUnreachable', told, { cause, hint: 'Set the clock of this machine: timedatectl.' });
  }
  if (isTransient(cause)) {
    return new HoldfastError('StoreUnreachable', `The ${label} could not be asked to ${doing}: ${what}.`, { cause });
  }
  const denied = name === 'CredentialsProviderError' || (status !== undefined && status >= 300);
  return new HoldfastError(denied ? 'StoreDenied' : 'StoreUnreachable', text(what), { cause });
}

function describe(cause: unknown, name: string, status: number | undefined): string {
  if (cause instanceof SilenceError || cause instanceof BrokenAnswerError) return cause.message;
  const message = cause instanceof Error ? cause.message : String(cause);
  const head = status === undefined ? name : `${status} ${name}`;
  return message === '' || message === name || message === 'UnknownError' ? head : `${head}, ${message}`;
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
