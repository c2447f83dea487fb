/** The last line of defence for logs: what looks like a secret is not written, whoever logged it. Pure. */

const SECRET_KEY =
  /(secret|password|passwd|passphrase|token|credential|private_?key|api_?key|access_?key|identity|identities|authorization|cookie|signer_?key|chunk_?id_?key)/i;
/** Names that match but only say where a secret is or what is public. */
const HARMLESS_KEY = /(ref|from|path|file|id|fingerprint|digest|count)$/i;
const SECRET_TEXT = [
  /AGE-SECRET-KEY-[0-9A-Z-]+/gi,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /(?<=:\/\/[^/\s:@]*:)[^/\s@]+(?=@)/g,
];

export const MASK = '[secret]';
/** Logs are for facts; anything deeper is cut. */
const MAX_DEPTH = 6;

/** The text with age identities, private keys and passwords in addresses masked. */
export function redactText(text: string): string {
  return SECRET_TEXT.reduce((result, pattern) => result.replace(pattern, MASK), text);
}

/** A copy that is safe to write. Errors keep name, message, stack, code and cause, with their texts masked. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '[…]';
  if (value instanceof Error) return redactError(value, depth);
  if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map((inner) => redact(inner, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, isSecretKey(key, inner) ? MASK : redact(inner, depth + 1)]),
  );
}

function isSecretKey(key: string, value: unknown): boolean {
  if (value === undefined || value === null || typeof value === 'boolean' || typeof value === 'number') return false;
  return SECRET_KEY.test(key) && !HARMLESS_KEY.test(key);
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  const { code } = error as { code?: unknown };
  return {
    type: error.name,
    message: redactText(error.message),
    ...(typeof code === 'string' ? { code } : {}),
    ...(error.stack === undefined ? {} : { stack: redactText(error.stack) }),
    ...(error.cause === undefined ? {} : { cause: redact(error.cause, depth + 1) }),
  };
}
