/**
 * What must not be committed because it looks like a secret. A guess that errs on the side of leaving out: what it finds is
 * told by name, and stays in the sealed backup. Pure.
 */

const FILE_NAME =
  /(^|\/)((.*\.)?env|\.env\..*|id_(rsa|dsa|ecdsa|ed25519)|\.netrc|\.pgpass|\.my\.cnf|\.git-credentials|\.?htpasswd|.*\.(pem|key|p12|pfx|jks|keystore|kdbx|age|gpg))$/i;
const WORD =
  /(pass(word|wd|phrase)?|pwd|secret|token|(api|access|private|auth|signing|encryption|master|session|app|preshared|shared)[_-]?key|requirepass|masterauth|credential|dsn|jwt|psk)/i;
const BLOCK =
  /-----BEGIN [A-Z ]*PRIVATE KEY-----|AGE-SECRET-KEY-1|\bA[KS]IA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{20,}|\bxox[abprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com\/services\/\w|\bwhsec_[A-Za-z0-9+/]{16,}|\$(2[abxy]|apr1|argon2\w*|[156])\$[\w./+=,$-]{8,}|\b(Basic|Bearer) [\w+/=.~-]{16,}/;
/** `scheme://user:password@host` */
const IN_URL = /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@'"]*:([^\s/@'"]+)@/i;
/** `name: value`, `name = "value"`, `name=value`, with the word somewhere in the name. */
const ASSIGNMENT = new RegExp(`^[\\s\\-"'#/;]*((?=[\\w.])[\\w.-]*${WORD.source}[\\w.-]*)["']?\\s*[:=]\\s*(.*)$`, 'i');

/** Behind a word in the middle of a line: the rest of the name, and what is given to it. */
const GIVEN = /^[\w.-]*["'\]]{0,2}\s{0,8}(?:=>|[:=])\s*(.*)$/;
const IN_ELEMENT = /^[\w.-]*>\s*([^<]*)/;
const FLAG = /^[\w-]*["']?,?\s+([^\s-]\S*)/;
/** Of servers that have no sign between name and value. */
const DIRECTIVE = /^\s*(requirepass|masterauth|password|secret)\s+["']?(?<value>[^\s"':=]+)["']?\s*;?$/i;
const COMMENT = /^\s*(#|\/\/|;)/;
const WORDS = new RegExp(WORD.source, 'gi');
/** Of a line: more can't be a name and its value. */
const LOOK_BEHIND = 200;
const LOOK_AHEAD = 400;

/** Why a file of this name with this text stays out, without repeating any of it; undefined: nothing was found. */
export function secretIn(path: string, text: string): string | undefined {
  if (FILE_NAME.test(path)) return 'by its name it holds secrets';
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    const where = `line ${index + 1}`;
    if (BLOCK.test(line)) return `${where} looks like a key`;
    const inUrl = IN_URL.exec(line)?.[1];
    if (inUrl !== undefined && !isReference(inUrl)) return `${where} has a password in an address`;
    const next = lines[index + 1] ?? '';
    const given = ASSIGNMENT.exec(line);
    const [name = '', value = ''] = [given?.[1], given?.at(-1)];
    if (isValue(value) || (isBlock(value) && next.trim() !== '')) return `${where} gives ${name} a value`;
    if (isValue(DIRECTIVE.exec(line)?.groups?.['value'] ?? '')) return `${where} gives a secret's name a value`;
    if (NAMED.test(line) && isGivenThere(next)) return `line ${index + 2} gives the name before it a value`;
    if (!COMMENT.test(line) && isGivenWithin(line)) return `${where} gives a secret's name a value`;
  }
  return undefined;
}

/** `- name: DB_PASSWORD`, with `value: …` on the next line. */
const NAMED = new RegExp(
  `^\\s*(-\\s*)?["']?(name|key)["']?\\s*:\\s*["']?[\\w.-]{0,100}${WORD.source}[\\w.-]{0,100}["']?,?\\s*$`,
  'i',
);

function isGivenThere(line: string): boolean {
  const value = /^\s*["']?value["']?\s*:\s*(.*)$/i.exec(line)?.[1];
  return value !== undefined && isValue(value);
}

/** `|` and `>` of YAML: the value is below. */
function isBlock(written: string): boolean {
  return /^[|>][-+\d]*\s*$/.test(written.trim());
}

/** `{ user: app, password: … }`, `<password>…</password>`, `run --token=…`, `--token …`: wherever it is in the line. */
function isGivenWithin(line: string): boolean {
  for (const match of line.matchAll(WORDS)) {
    const end = match.index + match[0].length;
    const rest = line.slice(end, end + LOOK_AHEAD);
    const before = line.slice(Math.max(0, match.index - LOOK_BEHIND), match.index);
    const own = /[\w.-]*$/.exec(before)?.[0] ?? '';
    // `${NAME:?what is said when it is missing}`
    if (/\$\{[\w.]*$/.test(before) && /^\w*:?\?/.test(rest)) continue;
    const given = GIVEN.exec(rest)?.[1];
    if (given !== undefined && isValue(given) && isValue(firstOf(given))) return true;
    const opens = before.slice(0, before.length - own.length).endsWith('<');
    if (opens && isValue(IN_ELEMENT.exec(rest)?.[1] ?? '')) return true;
    if (own.startsWith('--') && isValue(FLAG.exec(rest)?.[1] ?? '')) return true;
  }
  return false;
}

/** What is given ends at its quote, its bracket, or where the next one begins. */
function firstOf(given: string): string {
  const quoted = /^(["'])(.*?)\1/.exec(given)?.[2];
  if (quoted !== undefined) return quoted;
  return /^(\$\{[^}]*\}|\{\{?[^}]*\}\}?|<[^>]*>|[^\s,;}\])]*)/.exec(given)?.[0] ?? given;
}

/** Whether the value of an environment variable may be written down. */
export function isSecretVariable(name: string, value: string): boolean {
  return WORD.test(name) || BLOCK.test(value) || IN_URL.test(value);
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
  return VARIABLE.test(value) || PLACE.test(value);
}

/** Not `${VAR:-default}`, which gives one; with what may follow it in a list or a call. */
const VARIABLE = /^\${1,2}([A-Z_][A-Z0-9_]*|\{[\w.]+(:?\?[^}]*|:?-)?\}|\(.*\))[\s,;)}\]"']*$/;
const PLACE =
  /^(\{\{.*\}\}|\{.*\}|\[.*\]|[|>]-?|<[^>]*>|\/[\w./-]+|file:.*|env:.*|vault:.*|!\w+( .*)?|ENC\[.*\]|null|none|true|false|\d{1,5}|\*+|x+)$/i;
