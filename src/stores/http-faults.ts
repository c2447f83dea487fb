/** Faults of HTTP and below, which every store over HTTP may meet. */

const NETWORK_CODES = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'ENOTFOUND',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
  'HPE_INVALID_CONSTANT',
  'HPE_INVALID_EOF_STATE',
]);
/** Waiting does not make a certificate trusted. */
const CERTIFICATE_CODES = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);
const DEEPEST_CAUSE = 5;

export function isNetworkFault(cause: unknown): boolean {
  return codesOf(cause).some((code) => NETWORK_CODES.has(code));
}

/** Why the certificate is not trusted, such as CERT_HAS_EXPIRED; undefined for every other fault. */
export function certificateCode(cause: unknown): string | undefined {
  return codesOf(cause).find((code) => CERTIFICATE_CODES.has(code));
}

/** Of the error and of what it says was its cause: clients wrap. Some name the code of the network `errno`. */
function codesOf(cause: unknown): string[] {
  const codes: string[] = [];
  let at: unknown = cause;
  for (let depth = 0; depth < DEEPEST_CAUSE && typeof at === 'object' && at !== null; depth += 1) {
    const { code, errno, cause: below } = at as { code?: unknown; errno?: unknown; cause?: unknown };
    for (const one of [code, errno]) if (typeof one === 'string') codes.push(one);
    at = below;
  }
  return codes;
}

/** Retry-After (RFC 9110, section 10.2.3), seconds or a date, out of headers in any form that clients give. */
export function retryAfterMs(headers: unknown): number | undefined {
  const asked = headerOf(headers, 'retry-after');
  if (asked === undefined) return undefined;
  const ms = /^\d+$/.test(asked) ? Number(asked) * 1000 : Date.parse(asked) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

function headerOf(headers: unknown, name: string): string | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined;
  const get: unknown = (headers as { get?: unknown }).get;
  const value: unknown =
    typeof get === 'function' ? get.call(headers, name) : (headers as Record<string, unknown>)[name];
  return typeof value === 'string' ? value : undefined;
}
