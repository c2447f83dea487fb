/** What `doctor` looks at. Every check gives findings and goes on after a bad one. */
import { HoldfastError } from '../failures.ts';
import { existsSync } from 'node:fs';
import { formatCount } from '../observe/format.ts';
import { declaredSchedules, scheduleNotes } from '../policy/schedules.ts';
import { localHost } from '../system/home.ts';
import { listSystems, loadSystem, loadSystemFile } from '../system/load.ts';
import { describeSecret, resolveSecret } from '../system/secrets.ts';
import type { SecretRef, StoreConfig, System } from '../system/types.ts';
import { tell } from '../observe/told.ts';
import { examineComponents } from './examine-components.ts';
import { examineSites } from './examine-sites.ts';
import { examineStores } from './examine-stores.ts';
import { examineMachine } from './examine-machine.ts';

export interface Finding {
  readonly state: 'ok' | 'warn' | 'fail';
  /** `store nas`, `secret keys.signer`. */
  readonly what: string;
  readonly detail: string;
  /** What to do about it; absent where all is well. */
  readonly doThis?: string;
}

export const ok = (what: string, detail: string): Finding => ({ state: 'ok', what, detail });

export const warn = (what: string, detail: string, doThis: string): Finding => ({
  state: 'warn',
  what,
  detail,
  doThis,
});

export function failed(what: string, error: unknown): Finding {
  const { message, hint } = tell(error);
  return { state: 'fail', what, detail: message.split('\n')[0] ?? message, doThis: hint };
}

/** A name, a path of a system file, or undefined for every registered system. */
export async function examine(name: string | undefined): Promise<Finding[]> {
  const findings: Finding[] = [];
  const systems = await systemsToExamine(name, findings);
  findings.push(...(await examineMachine(systems)));
  for (const system of systems) {
    const prefix = systems.length > 1 ? `${system.name}: ` : '';
    const own = [
      ...(await examineSecrets(system)),
      ...(await examineStores(system)),
      ...(await examineComponents(system)),
      ...examineSchedules(system),
      ...(await examineSites(system)),
    ];
    findings.push(...own.map((finding) => ({ ...finding, what: prefix + finding.what })));
  }
  return findings;
}

async function systemsToExamine(name: string | undefined, findings: Finding[]): Promise<System[]> {
  const wanted = name === undefined ? (await listSystems()).map((one) => one.name) : [name];
  if (wanted.length === 0) {
    findings.push(warn('systems', 'none is registered here', 'Register one with `holdfast init <file>`.'));
  }
  const systems: System[] = [];
  for (const one of wanted) {
    try {
      const system = isPath(one) ? await loadSystemFile(one) : await loadSystem(one);
      systems.push(system);
      const counts = [
        formatCount(system.components.length, 'component'),
        formatCount(system.plans.length, 'plan'),
        formatCount(system.stores.length, 'store'),
      ].join(', ');
      findings.push(ok(`file of ${system.name}`, counts));
    } catch (error) {
      findings.push(...fileFindings(one, error));
    }
  }
  return systems;
}

function isPath(name: string): boolean {
  return name.includes('/') || /\.ya?ml$/.test(name) || (!/^[a-z][a-z0-9-]*$/.test(name) && existsSync(name));
}

/** Each line of a bad file is a finding of its own. */
function fileFindings(name: string, error: unknown): Finding[] {
  if (!(error instanceof HoldfastError) || error.code !== 'BadSystemFile') return [failed(`file of ${name}`, error)];
  const [, ...lines] = error.message.split('\n');
  if (lines.length === 0) return [failed(`file of ${name}`, error)];
  return lines.map((line) => ({ state: 'fail', what: `file of ${name}`, detail: line, doThis: 'Correct this line.' }));
}

/** What is applied is for `status` to tell: a doctor also looks at files before there is an engine. */
function examineSchedules(system: System): Finding[] {
  const notes = scheduleNotes(system, declaredSchedules(system), Date.now());
  return notes.map(({ what, doThis }) => warn('schedules', what, doThis));
}

async function examineSecrets(system: System): Promise<Finding[]> {
  const { chunkIdKey, signer, identity } = system.keys;
  const refs: [string, SecretRef | undefined][] = [
    ['keys.chunkIdKey', chunkIdKey],
    ['keys.signer', signer],
    ['keys.identity', identity],
    ['monitor.ping.url', system.monitor?.ping?.url],
    ...maintainerSecrets(system),
    ...system.stores.flatMap(storeSecrets),
    ...serverSecrets(system),
  ];
  const findings: Finding[] = [];
  for (const [where, ref] of refs) if (ref !== undefined) findings.push(await examineSecret(where, ref));
  if (identity === undefined) {
    const what = 'this host can capture, but neither verify nor restore';
    findings.push(ok('secret keys.identity', `not here: ${what}`));
  }
  return findings;
}

function storeSecrets(store: StoreConfig): [string, SecretRef | undefined][] {
  const own = (fields: Readonly<Record<string, SecretRef | undefined>>): [string, SecretRef | undefined][] =>
    Object.entries(fields).map(([field, ref]) => [`stores.${store.name}.${field}`, ref]);
  switch (store.kind) {
    case 'directory':
      return [];
    case 's3':
      return own({ accessKeyId: store.accessKeyId, secretAccessKey: store.secretAccessKey });
    case 'gcs':
      return own({ credentials: store.credentials });
    case 'azure':
      return own({ accountKey: store.accountKey, sasToken: store.sasToken });
    case 'sftp':
      return own({ privateKey: store.privateKey, password: store.password });
  }
}

/** What copies, prunes and heals on this machine, where it maintains a store: found missing in the night otherwise. */
function maintainerSecrets(system: System): [string, SecretRef | undefined][] {
  const here = hostHere(system);
  const maintained = system.stores.filter(({ maintainedBy }) => maintainedBy === here);
  if (maintained.length === 0) return [];
  const logins = maintained.flatMap((store): [string, SecretRef | undefined][] => {
    const login = 'maintainer' in store ? store.maintainer : {};
    const fields = Object.entries(login) as [string, SecretRef | undefined][];
    return fields.map(([field, ref]) => [`stores.${store.name}.maintainer.${field}`, ref]);
  });
  return [['keys.keeper', system.keys.keeper], ...logins];
}

/** Undefined when it cannot be told, which is a finding about the host. */
function hostHere(system: System): string | undefined {
  try {
    return localHost(system);
  } catch {
    return undefined;
  }
}

/** Of the servers that this machine captures; those of other hosts are examined there. */
function serverSecrets(system: System): [string, SecretRef | undefined][] {
  const here = hostHere(system);
  if (here === undefined) return [];
  return system.components.flatMap((component): [string, SecretRef | undefined][] => {
    if (component.kind !== 'postgres' || component.host !== here) return [];
    const { backup, restore } = component.server;
    const where = `components.${component.name}.server`;
    return [
      [`${where}.backup.password`, backup.password],
      [`${where}.restore.password`, restore?.password],
    ];
  });
}

async function examineSecret(where: string, ref: SecretRef): Promise<Finding> {
  const what = `secret ${where}`;
  const warnings: string[] = [];
  try {
    const value = await resolveSecret(ref, { onWarning: (text) => warnings.push(text) });
    await checkForm(where, value);
  } catch (error) {
    return failed(what, error);
  }
  if (warnings.length > 0) return warn(what, 'readable by others', `chmod 600 ${'file' in ref ? ref.file : ''}`);
  return ok(what, describeSecret(ref));
}

/** Reads the secret as its user will. Throws BadInput, whose messages never repeat it. */
async function checkForm(where: string, value: string): Promise<void> {
  if (where === 'keys.chunkIdKey') (await import('../vault/index.ts')).parseChunkIdKey(value);
  else if (where === 'keys.signer' || where === 'keys.keeper')
    (await import('../seal/index.ts')).sshPublicKeyOf(`${value}\n`);
  else if (where === 'keys.identity') (await import('../seal/index.ts')).parseIdentities([value]);
}
