/** Secrets by reference. A value is returned to the caller and to nobody else: not to messages, logs or causes. */
import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { HoldfastError } from '../failures.ts';
import type { SecretRef } from './types.ts';

/** Keys and tokens are small; more is a mistake such as a path to a data file. */
const MAX_SECRET_BYTES = 64 * 1024;
const COMMAND_TIMEOUT_MS = 30_000;
/** Node kills the program then, without setting `killed`. */
const TOO_MUCH_OUTPUT: unknown = 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER';

/** For people: where a secret is looked for. Never its value. */
export function describeSecret(ref: SecretRef): string {
  if ('env' in ref) return `environment variable ${ref.env}`;
  if ('file' in ref) return `file ${ref.file}`;
  return `command ${ref.command[0] ?? ''}`;
}

export interface ResolveOptions {
  /** Told when a key file can be read by others. Default: a process warning on stderr, once per file. */
  readonly onWarning?: (message: string) => void;
  readonly environment?: NodeJS.ProcessEnv;
}

/**
 * The secret's text, without trailing line breaks. Throws SecretMissing when it is absent, empty, too large or its
 * command fails or takes longer than 30 s; the message never holds the value or the command's output.
 */
export async function resolveSecret(ref: SecretRef, options: ResolveOptions = {}): Promise<string> {
  const value = (await readSecret(ref, options)).replace(/[\r\n]+$/, '');
  if (value === '') throw missing(ref, 'is empty');
  return value;
}

function readSecret(ref: SecretRef, options: ResolveOptions): Promise<string> | string {
  if ('env' in ref) {
    const value = (options.environment ?? process.env)[ref.env];
    if (value === undefined) throw missing(ref, 'is not set');
    return value;
  }
  if ('file' in ref) return readSecretFile(ref, options.onWarning ?? warnOnce);
  return runSecretCommand(ref);
}

const warned = new Set<string>();

function warnOnce(message: string): void {
  if (warned.has(message)) return;
  warned.add(message);
  process.emitWarning(message, 'HoldfastSecretWarning');
}

async function readSecretFile(ref: { readonly file: string }, warn: (message: string) => void): Promise<string> {
  try {
    await using file = await open(ref.file, 'r');
    const facts = await file.stat();
    if (!facts.isFile()) throw missing(ref, 'is not a regular file');
    if (facts.size > MAX_SECRET_BYTES) throw missing(ref, `is larger than ${MAX_SECRET_BYTES} bytes`);
    const mode = facts.mode & 0o777;
    if ((mode & 0o077) !== 0) {
      warn(`the secret file ${ref.file} can be read by others (mode ${mode.toString(8)}): chmod 600 ${ref.file}`);
    }
    return await file.readFile('utf8');
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    throw missing(ref, code === 'ENOENT' ? 'does not exist' : `could not be read (${code ?? 'unknown error'})`);
  }
}

function runSecretCommand(ref: { readonly command: readonly string[] }): Promise<string> {
  const [program, ...rest] = ref.command;
  if (program === undefined) throw missing(ref, 'is empty');
  return new Promise((resolve, reject) => {
    execFile(
      program,
      rest,
      { timeout: COMMAND_TIMEOUT_MS, maxBuffer: MAX_SECRET_BYTES, killSignal: 'SIGKILL', encoding: 'utf8' },
      // The error of execFile holds the command line and its output, so it is neither passed on nor kept as a cause.
      (error, stdout) => {
        if (error === null) resolve(stdout);
        else if (error.killed === true || error.code === TOO_MUCH_OUTPUT)
          reject(missing(ref, 'was ended: over 30 s or too much output'));
        else
          reject(
            missing(ref, `failed (${typeof error.code === 'number' ? `exit ${error.code}` : String(error.code)})`),
          );
      },
    );
  });
}

function missing(ref: SecretRef, what: string): HoldfastError {
  return new HoldfastError('SecretMissing', `a secret could not be read: ${describeSecret(ref)} ${what}`, {
    details: { from: describeSecret(ref) },
  });
}
