/** What an error of Google Cloud Storage, of its client or of the network means for a store. */
import { HoldfastError } from '../failures.ts';
import { BrokenAnswerError } from './broken-answer.ts';
import { certificateCode, isNetworkFault, retryAfterMs } from './http-faults.ts';
import { SilenceError } from './retry.ts';

interface GcsFault {
  readonly status: number | undefined;
  /** The API's own word, such as `retentionPolicyNotMet`. */
  readonly reason: string | undefined;
  /** Of the network, such as ECONNRESET. */
  readonly code: string | undefined;
}

export function gcsFault(cause: unknown): GcsFault {
  const [code, status] = [field(cause, 'code'), field(cause, 'status')];
  const errors = field(cause, 'errors');
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
  const reason = field(first, 'reason');
  const number = [code, status, Number(code)].find((one) => typeof one === 'number' && one >= 100 && one < 600);
  return {
    status: number as number | undefined,
    reason: typeof reason === 'string' ? reason : undefined,
    code: typeof code === 'string' ? code : undefined,
  };
}

/** Google's list (cloud.google.com/storage/docs/retry-strategy): 408, 429, 5xx, lost connections. */
export function isTransientGcs(cause: unknown): boolean {
  if (cause instanceof SilenceError || cause instanceof BrokenAnswerError) return true;
  if (cause instanceof HoldfastError) return false;
  const { status } = gcsFault(cause);
  if (status !== undefined) return status === 408 || status === 429 || (status >= 500 && status !== 501);
  return isNetworkFault(cause);
}

export function askedPauseOfGcs(cause: unknown): number | undefined {
  return retryAfterMs(field(field(cause, 'response'), 'headers'));
}

/** `doing` says what was tried, such as `write chunks/ab/…`. */
export function gcsFailure(label: string, doing: string, error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const { status, reason } = gcsFault(error);
  const cause = plainCause(error);
  const text = (why: string) => `The ${label} does not let us ${doing}: ${why}.`;
  const what = describe(error, status, reason);
  if (status === 404) {
    const hint = 'Create the bucket, or correct its name and endpoint in the system file.';
    return new HoldfastError('StoreDenied', text('the bucket does not exist'), { cause, hint });
  }
  if (certificateCode(error) !== undefined) {
    const hint = 'Name the authority of its certificate in NODE_EXTRA_CA_CERTS, or correct the endpoint.';
    return new HoldfastError('StoreDenied', text(`its certificate is not trusted (${what})`), { cause, hint });
  }
  if (isTransientGcs(error)) return new HoldfastError('StoreUnreachable', text(what), { cause });
  if (status === 501) return new HoldfastError('StoreUnfit', text(what), { cause });
  const noCredentials = /default credentials/i.test(what);
  const denied = noCredentials || (status !== undefined && status >= 300);
  return new HoldfastError(denied ? 'StoreDenied' : 'StoreUnreachable', text(what), { cause });
}

/** Of an error of the client nothing but what it says: it holds the request, whose headers are a secret. */
export function plainCause(error: unknown): Error {
  const { status, reason } = gcsFault(error);
  return new Error(describe(error, status, reason));
}

function describe(cause: unknown, status: number | undefined, reason: string | undefined): string {
  const message = (cause instanceof Error ? cause.message : String(cause)).trim().replace(/\s+/g, ' ').slice(0, 300);
  return [status, reason, message]
    .filter((part) => part !== undefined && part !== '')
    .join(' ')
    .replace(/\.+$/, '');
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
