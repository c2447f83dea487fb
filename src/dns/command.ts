/** Commands of the operator's that change names at another provider. Secrets are variables, never arguments. */
import { HoldfastError } from '../failures.ts';
import { runProgram } from '../sources/checks/program.ts';
import type { DnsCommandEntry } from '../system/dns-types.ts';
import type { SecretRef } from '../system/types.ts';

/** What a state is kept by in a history. */
const STATE_LIMIT = 8 * 1024;

export interface CommandPlace {
  readonly site: string;
  readonly fromSite: string | undefined;
  /** What `read` printed when the plan was made. */
  readonly state: string | undefined;
}

export interface CommandCall {
  readonly place: CommandPlace;
  readonly signal: AbortSignal;
  readonly resolveSecret: (ref: SecretRef) => Promise<string>;
}

/** What `read` prints; undefined when there is no such command. Throws DnsCommandFailed. */
export async function readState(entry: DnsCommandEntry, call: CommandCall): Promise<string | undefined> {
  if (entry.read === undefined) return undefined;
  const state = (await runNamed(entry, entry.read, call)).trim();
  if (state.length > STATE_LIMIT) {
    throw new HoldfastError('BadInput', `${entry.name}: \`read\` prints more than ${STATE_LIMIT} characters`);
  }
  return state;
}

/** Throws DnsCommandFailed. */
export async function changeNames(entry: DnsCommandEntry, call: CommandCall): Promise<void> {
  await runNamed(entry, entry.change, call);
}

/** Undefined when there is no such command. */
export async function verifyNames(entry: DnsCommandEntry, call: CommandCall): Promise<boolean | undefined> {
  if (entry.verify === undefined) return undefined;
  return (await run(entry, entry.verify, call)).exitCode === 0;
}

async function runNamed(entry: DnsCommandEntry, command: readonly string[], call: CommandCall): Promise<string> {
  const { exitCode, timedOut, output } = await run(entry, command, call);
  if (exitCode === 0) return output;
  const how = timedOut
    ? `took longer than ${entry.timeoutSeconds} s`
    : `ended with ${exitCode === undefined ? 'a signal' : `exit code ${exitCode}`}`;
  // What it printed may be anything, so it is nobody's.
  throw new HoldfastError('DnsCommandFailed', `${entry.name}: ${command[0] ?? ''} ${how}`);
}

async function run(entry: DnsCommandEntry, command: readonly string[], { place, signal, resolveSecret }: CommandCall) {
  const secrets = await Promise.all(
    Object.entries(entry.secrets).map(async ([name, ref]) => [name, await resolveSecret(ref)] as const),
  );
  return runProgram(command, {
    timeoutMs: entry.timeoutSeconds * 1000,
    signal,
    env: {
      ...Object.fromEntries(secrets),
      HOLDFAST_SITE: place.site,
      HOLDFAST_FROM_SITE: place.fromSite ?? '',
      HOLDFAST_DNS_STATE: place.state ?? '',
    },
  });
}
