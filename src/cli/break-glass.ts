/**
 * A bare machine, a recovery kit, a store: one command. The system file comes out of the newest backup, and the restore
 * is the ordinary one, run by an engine that lives as long as this command.
 */
import path from 'node:path';
import { isMap, parseDocument } from 'yaml';
import { ephemeralEngine } from '../engine/index.ts';
import { HoldfastError } from '../failures.ts';
import { THAWED_DAYS, USUAL_SPEED } from '../policy/thaw.ts';
import { openStore, type Store } from '../stores/index.ts';
import { keysDirectory, stateDirectory } from '../system/home.ts';
import { loadSystemFile, registerSystem } from '../system/load.ts';
import type { SystemFile } from '../system/schema.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { StoreAddress, System } from '../system/types.ts';
import { thawAll } from '../vault/cold.ts';
import { openReaderVault, type CatalogueEntry, type ReaderVault } from '../vault/index.ts';
import { waitForAudit } from './audit-written.ts';
import { writeNew } from './key-files.ts';
import { readKit } from './kit-file.ts';
import type { RestoreOptions } from './restore.ts';
import { runRestore } from './run-restore.ts';
import type { ExitCode, Shell } from './shell.ts';
import { parseStore, storeAddress } from './store-address.ts';

const STORE_NAME = 'recovery';
const NOT_ASKED =
  'warning: the system has other sites, and which of them runs it is not asked here: make sure that none does';

export async function breakGlass(
  shell: Shell,
  system: string | undefined,
  backup: string | undefined,
  options: RestoreOptions,
): Promise<ExitCode> {
  if (options.kit === undefined) {
    throw new HoldfastError('BadInput', '--from-store needs --kit: without a key nothing can be read');
  }
  const { kit } = await readKit(options.kit);
  if (system !== undefined && system !== kit.system) {
    throw new HoldfastError('BadInput', `the kit is of the system ${kit.system}, not of ${system}`);
  }
  const place = options.fromStore === undefined ? kit.store : parseStore(options.fromStore);
  const config = storeAddress(STORE_NAME, kit.system, place);
  const identityFile = path.join(keysDirectory(kit.system), 'recovery-identity');
  await writeNew(identityFile, `${kit.identity}\n`);
  const store = await openStore(config, resolveSecret);
  let found: { id: string; text: string };
  try {
    const keys = { identities: [kit.identity], rootFingerprint: kit.rootFingerprint };
    const vault = await openReaderVault({ store, system: kit.system, keys });
    try {
      found = await findSystemFile({ vault, store }, backup, options);
    } finally {
      await vault.close();
    }
  } finally {
    await store.close();
  }
  const recovered = await recoverSystem(kit.system, found.text, config, identityFile);
  const whole = options.whole === true || isAboutAll(backup, options);
  const named = backup === 'latest' ? undefined : backup;
  shell.say(`system file of backup ${found.id}: ${recovered.sourcePath}`);
  if (/^failover:/m.test(found.text)) shell.say(NOT_ASKED);
  return ephemeralEngine({ hosts: recovered.hosts }, async (engine) => {
    try {
      // There is no signer on a bare machine, so the current state, if any, can't be saved as a backup first.
      return await runRestore(shell, engine, kit.system, whole ? named : found.id, {
        ...options,
        ...(whole ? { whole } : {}),
        skipSafetyBackup: true,
        wait: true,
      });
    } finally {
      await waitForAudit(shell, engine, kit.system);
    }
  });
}

/** Nothing was asked for in particular: then a lost machine wants all it had back, whichever plans captured it. */
export function isAboutAll(backup: string | undefined, options: RestoreOptions): boolean {
  const { component, path: paths, target, plan, verifyOnly, toTime, toLsn, toName, toEnd } = options;
  const narrower = [component, paths, target, plan, verifyOnly, toTime, toLsn, toName, toEnd];
  return (backup === undefined || backup === 'latest') && narrower.every((one) => one === undefined);
}

/** The backup that is wanted, and its system file. Backups that can't be trusted are passed over, and said to be. */
async function findSystemFile(
  { vault, store }: { vault: ReaderVault; store: Store },
  backup: string | undefined,
  options: RestoreOptions,
): Promise<{ id: string; text: string }> {
  const all = await vault.catalogue(options.plan === undefined ? {} : { plan: options.plan });
  const before = options.before === undefined ? Number.POSITIVE_INFINITY : Date.parse(options.before);
  const wanted = (entry: CatalogueEntry): boolean => {
    if (backup !== undefined && backup !== 'latest') return entry.body.id === backup;
    return entry.body.purpose === 'backup' && entry.trust.ok && Date.parse(entry.body.pointAt) < before;
  };
  const entry = all.find(wanted);
  if (entry === undefined) {
    const what = all.length === 0 ? 'the vault holds no backup' : `none of ${all.length} backups fits`;
    throw new HoldfastError('BackupMissing', what);
  }
  const reader = await vault.open(entry.key);
  try {
    return { id: entry.body.id, text: await reader.systemFileText() };
  } catch (error) {
    throw await askForFrozen(error, store, entry);
  }
}

/** In an archive class even the system file has to be thawed first. The rest is for the restore itself to wait for. */
async function askForFrozen(error: unknown, store: Store, { body }: CatalogueEntry): Promise<unknown> {
  if (!(error instanceof HoldfastError) || error.code !== 'ObjectFrozen' || store.cold === undefined) return error;
  const { signal } = new AbortController();
  await thawAll(store, [body.systemFile], { days: THAWED_DAYS, speed: USUAL_SPEED }, { signal });
  const what = `The backup ${body.id} lies in an archive class. Its system file was asked for, which takes hours.`;
  const hint = 'Run the same command again then, or name another store now with --from-store.';
  return new HoldfastError('ObjectFrozen', what, { cause: error, hint });
}

async function recoverSystem(name: string, text: string, config: StoreAddress, identityFile: string): Promise<System> {
  const file = path.join(stateDirectory(name), 'recovered.yaml');
  const { writeFile } = await import('node:fs/promises');
  await writeFile(file, recoveredText(text, config, identityFile), { mode: 0o600 });
  await loadSystemFile(file);
  return registerSystem(file);
}

/**
 * The file as it was backed up, with this store and this identity in place of what the lost machine had. What is said of
 * the other stores goes with them: the rule of copies, which one store rarely meets, what is kept in each, how late a copy
 * may be, what is done to them by a schedule, and what goes from the machine once they have it. A log is in this store now.
 * Which site may run it is not asked: whoever breaks the glass takes that upon himself.
 */
export function recoveredText(text: string, config: StoreAddress, identityFile: string): string {
  const document = parseDocument(text);
  const store = Object.fromEntries(Object.entries(config).filter(([key]) => key !== 'name'));
  const storageClass = classOf(document.toJS() as Partial<SystemFile>, config);
  document.setIn(['stores'], document.createNode({ [STORE_NAME]: { ...store, ...storageClass } }));
  document.setIn(['keys', 'identity'], document.createNode({ file: identityFile }));
  const plans = document.get('plans');
  if (isMap(plans)) {
    for (const { key } of plans.items) {
      document.setIn(['plans', String(key), 'stores'], document.createNode([STORE_NAME]));
      document.deleteIn(['plans', String(key), 'keepIn']);
      if (document.hasIn(['plans', String(key), 'limits', 'copy'])) {
        document.deleteIn(['plans', String(key), 'limits', 'copy']);
      }
    }
  }
  const components = document.get('components');
  for (const { key } of isMap(components) ? components.items : []) {
    const log = ['components', String(key), 'wal', 'store'];
    if (document.hasIn(log)) document.setIn(log, STORE_NAME);
  }
  for (const section of ['rule', 'maintenance', 'housekeeping', 'failover']) document.delete(section);
  return document.toString();
}

/** Which class the store had, that no kit names: only so is it known that the rest has to be thawed. */
function classOf({ system, stores = {} }: Partial<SystemFile>, config: StoreAddress): { storageClass?: string } {
  for (const own of Object.values(stores)) {
    if (own.kind === 'directory' || own.kind === 'sftp' || own.kind === 'gcs' || own.kind !== config.kind) continue;
    const { storageClass, prefix = system ?? '' } = own;
    const same = own.kind === 's3' ? 'bucket' in config && own.bucket === config.bucket : isContainer(own, config);
    if (same && storageClass !== undefined && prefix.replace(/\/+$/, '') === config.prefix) return { storageClass };
  }
  return {};
}

function isContainer(own: { account: string; container: string }, config: StoreAddress): boolean {
  return config.kind === 'azure' && own.account === config.account && own.container === config.container;
}
