/**
 * What must not be committed because it looks like a secret. A guess that errs on the side of leaving out: what it finds is
 * told by name, and stays in the sealed backup. Pure.
 */

const FILE_NAME =
  /(^|\/)(\.env(\..*)?|id_(rsa|dsa|ecdsa|ed25519)|\.netrc|\.pgpass|.*\.(pem|key|p12|pfx|jks|keystore|kdbx|age|gpg))$/i;
const WORD =
  /(pass(word|wd|phrase)?|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|auth[_-]?key|signing[_-]?key|dsn)/i;
const BLOCK =
  /-----BEGIN [A-Z ]*PRIVATE KEY-----|AGE-SECRET-KEY-1|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}|\bxox[abprs]-[A-Za-z0-9-]{10,}/;
/** `scheme://user:password@host` */
const IN_URL = /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@'"]*:([^\s/@'"]+)@/i;
/** `name: value`, `name = "value"`, `name=value`, with the word somewhere in the name. */
const ASSIGNMENT = new RegExp(`^[\\s\\-"'#/;]*([\\w.-]*${WORD.source}[\\w.-]*)["']?\\s*[:=]\\s*(.*)$`, 'i');

/** Why a file of this name with this text stays out, without repeating any of it; undefined: nothing was found. */
export function secretIn(path: string, text: string): string | undefined {
  if (FILE_NAME.test(path)) return 'by its name it holds secrets';
  for (const [index, line] of text.split('\n').entries()) {
    const where = `line ${index + 1}`;
    if (BLOCK.test(line)) return `${where} looks like a key`;
    const inUrl = IN_URL.exec(line)?.[1];
    if (inUrl !== undefined && !isReference(inUrl)) return `${where} has a password in an address`;
    const [, name, , value] = assignment(line);
    if (name !== undefined && value !== undefined && isValue(value)) return `${where} gives ${name} a value`;
  }
  return undefined;
}

/** Whether the value of an environment variable may be written down. */
export function isSecretVariable(name: string, value: string): boolean {
  return WORD.test(name) || BLOCK.test(value) || IN_URL.test(value);
}

function assignment(line: string): (string | undefined)[] {
  const match = ASSIGNMENT.exec(line);
  if (match === null) return [];
  return [match[0], match[1], undefined, match.at(-1)];
}

function isValue(written: string): boolean {
  const value = written
    .replace(/\s+#.*$/, '')
    .replace(/^["']|["'],?;?$/g, '')
    .trim();
  return value !== '' && !isReference(value);
}

/** A place where the secret is found, or nothing: `${VAR}`, `$VAR`, `{ env: … }`, `/run/secrets/…`, `<your password>`. */
function isReference(value: string): boolean {
  return /^(\$\{?\w[^}]*\}?|\{\{.*\}\}|\{.*\}|\[.*\]|[|>]-?|<[^>]*>|\/[\w./-]+|file:.*|env:.*|vault:.*|null|none|true|false|\d{1,5}|\*+|x+)$/i.test(
    value,
  );
}
