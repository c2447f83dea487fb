/** What an error of Route 53, of its SDK or of the network means. */
import { HoldfastError } from '../failures.ts';
import { certificateCode } from '../stores/http-faults.ts';
import { faultOf } from '../stores/s3-errors.ts';

/** Errors by name that a later call may not meet. */
const BUSY = new Set(['Throttling', 'ThrottlingException', 'PriorRequestNotComplete', 'TooManyRequestsException']);
const PASSING = new Set([
  'ServiceUnavailable',
  'InternalFailure',
  'InternalServiceError',
  'RequestTimeout',
  'TimeoutError',
]);

export function isNamed(cause: unknown, name: string): boolean {
  return faultOf(cause).name === name;
}

/** `doing` is what was tried, such as `read its record sets`. */
export function route53Failure(zone: string, doing: string, cause: unknown): HoldfastError {
  if (cause instanceof HoldfastError) return cause;
  const { name, status } = faultOf(cause);
  const message = cause instanceof Error && cause.message !== '' && cause.message !== name ? `, ${cause.message}` : '';
  const what = `${status === undefined ? '' : `${status} `}${name}${message}`.replace(/\.+$/, '');
  const text = `Route 53, zone ${zone}, could not be asked to ${doing}: ${what}.`;
  if (BUSY.has(name) || status === 429) return new HoldfastError('DnsThrottled', text, { cause });
  const distrust = certificateCode(cause);
  if (distrust !== undefined) return new HoldfastError('DnsRefused', text, { cause, details: { distrust } });
  const refused = status !== undefined && status < 500 && !PASSING.has(name);
  if (refused || name === 'CredentialsProviderError') {
    const said = name === 'InvalidChangeBatch' ? `${doing}: ${what}` : `${doing}, and says ${what}`;
    return new HoldfastError('DnsRefused', `Route 53, zone ${zone}, does not let us ${said}.`, { cause });
  }
  return new HoldfastError('DnsUnreachable', text, { cause });
}
