/** What an error of Azure Blob Storage, of its client or of the network means for a store. */
import { HoldfastError } from '../failures.ts';
import { BrokenAnswerError } from './broken-answer.ts';
import { certificateCode, isNetworkFault, retryAfterMs } from './http-faults.ts';
import { frozenFailure, lockedFailure } from './refusals.ts';
import { SilenceError } from './retry.ts';

interface AzureFault {
  readonly status: number | undefined;
  /** Azure's error code, such as BlobNotFound; the client's own, such as REQUEST_SEND_ERROR, where there was no answer. */
  readonly code: string;
}

export function azureFault(cause: unknown): AzureFault {
  const status = field(cause, 'statusCode');
  const ofAnswer = field(field(cause, 'details'), 'errorCode') ?? field(field(cause, 'details'), 'code');
  const code = [ofAnswer, field(cause, 'code'), field(cause, 'name')].find((one) => typeof one === 'string');
  return { status: typeof status === 'number' ? status : undefined, code: typeof code === 'string' ? code : 'Error' };
}

export function isMissingBlob(cause: unknown): boolean {
  const { status, code } = azureFault(cause);
  // An answer to HEAD may name no code; whether it is the container that is missing is asked then.
  return status === 404 && code !== 'ContainerNotFound' && code !== 'ResourceNotFound';
}

export function isTransientAzure(cause: unknown): boolean {
  if (cause instanceof SilenceError || cause instanceof BrokenAnswerError) return true;
  if (cause instanceof HoldfastError) return false;
  const { status, code } = azureFault(cause);
  // An answer of 200 that cannot be read was cut, or came from something in between.
  if (code === 'PARSE_ERROR' || code === 'Md5Mismatch' || (status !== undefined && status < 300)) return true;
  if (status !== undefined) return status === 408 || status === 429 || (status >= 500 && status !== 501);
  return isNetworkFault(cause) || (code === 'REQUEST_SEND_ERROR' && certificateCode(cause) === undefined);
}

export function askedPauseOfAzure(cause: unknown): number | undefined {
  return retryAfterMs(field(field(cause, 'response'), 'headers'));
}

/** StoreLocked or ObjectFrozen when that is why Azure refused; undefined otherwise. */
export function refusalOf(label: string, key: string, cause: unknown): HoldfastError | undefined {
  const { code } = azureFault(cause);
  const plain = plainCause(cause);
  if (code === 'BlobImmutableDueToPolicy') return lockedFailure(label, key, undefined, plain);
  if (code === 'BlobArchived' || code === 'BlobBeingRehydrated') return frozenFailure(label, key, 'Archive', plain);
  return undefined;
}

/** `doing` says what was tried, such as `write chunks/ab/…`. */
export function azureFailure(label: string, doing: string, error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const { status, code } = azureFault(error);
  const cause = plainCause(error);
  const text = (why: string) => `The ${label} does not let us ${doing}: ${why}.`;
  const what = describe(error, status, code);
  if (status === 404) {
    const hint = 'Create the container, or correct account, container and endpoint in the system file.';
    return new HoldfastError('StoreDenied', text('the container does not exist'), { cause, hint });
  }
  if (certificateCode(error) !== undefined) {
    const hint = 'Name the authority of its certificate in NODE_EXTRA_CA_CERTS, or correct the endpoint.';
    return new HoldfastError('StoreDenied', text(`its certificate is not trusted (${what})`), { cause, hint });
  }
  if (isTransientAzure(error)) return new HoldfastError('StoreUnreachable', text(what), { cause });
  if (status === 501 || code === 'FeatureNotYetSupportedForHierarchicalNamespaceAccounts') {
    return new HoldfastError('StoreUnfit', text(what), { cause });
  }
  const noLogin = /Credential|AuthenticationError/.test(code);
  const denied = noLogin || (status !== undefined && status >= 300);
  return new HoldfastError(denied ? 'StoreDenied' : 'StoreUnreachable', text(what), { cause });
}

/** Of an error of the client nothing but what it says: it holds the request, whose address or headers are a secret. */
export function plainCause(error: unknown): Error {
  const { status, code } = azureFault(error);
  return new Error(describe(error, status, code));
}

/** The first line: what follows repeats the request's id and time, and may repeat the address with its signature. */
function describe(cause: unknown, status: number | undefined, code: string): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  const [line = ''] = message.split('\n');
  const said = line.includes('sig=') ? '' : line.trim().slice(0, 300);
  const parts = [status === undefined ? undefined : String(status), code, said === code ? '' : said];
  return parts
    .filter((part) => part !== undefined && part !== '')
    .join(' ')
    .replace(/\.+$/, '');
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
