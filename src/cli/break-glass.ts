/**
 * A bare machine, a recovery kit, a store: one command. The system file comes out of the newest backup, and the restore
 * is the ordinary one, run by an engine that lives as long as this command.
 */
import path from 'node:path';
import { isMap, parseDocument } from 'yaml';
import { ephemeralEngine } from '../engine/index.ts';
import { HoldfastError } from '../failures.ts';
import { openStore } from '../stores/index.ts';
import { keysDirectory, stateDirectory } from '../system/home.ts';
import { loadSystemFile, registerSystem } from '../system/load.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { StoreAddress, System } from '../system/types.ts';
import { openReaderVault, type CatalogueEntry, type KitStore, type ReaderVault } from '../vault/index.ts';
import { writeNew } from './key-files.ts';
import { readKit } from './kit-file.ts';
import type { RestoreOptions } from './restore.ts';
import { runRestore } from './run-restore.ts';
import type { ExitCode, Shell } from './shell.ts';

const STORE_NAME = 'recovery';

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
  const config = storeConfig(kit.system, options.fromStore === undefined ? kit.store : parseStore(options.fromStore));
  const identityFile = path.join(keysDirectory(kit.system), 'recovery-identity');
  await writeNew(identityFile, `${kit.identity}\n`);
  const store = await openStore(config, resolveSecret);
  let found: { id: string; text: string };
  try {
    const keys = { identities: [kit.identity], rootFingerprint: kit.rootFingerprint };
    const vault = await openReaderVault({ store, system: kit.system, keys });
    try {
      found = await findSystemFile(vault, backup, options);
    } finally {
      await vault.close();
    }
  } finally {
    await store.close();
  }
  const recovered = await recoverSystem(kit.system, found.text, config, identityFile);
  shell.say(`system file of backup ${found.id}: ${recovered.sourcePath}`);
  return ephemeralEngine({ hosts: recovered.hosts }, (engine) =>
    // There is no signer on a bare machine, so the current state, if any, can't be saved as a backup first.
    runRestore(shell, engine, kit.system, found.id, { ...options, skipSafetyBackup: true, wait: true }),
  );
}

/** The backup that is wanted, and its system file. Backups that can't be trusted are passed over, and said to be. */
async function findSystemFile(
  vault: ReaderVault,
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
  return { id: entry.body.id, text: await reader.systemFileText() };
}

/** The file as it was backed up, with this store and this identity in place of what the lost machine had. */
async function recoverSystem(name: string, text: string, config: StoreAddress, identityFile: string): Promise<System> {
  const document = parseDocument(text);
  const store = Object.fromEntries(Object.entries(config).filter(([key]) => key !== 'name'));
  document.setIn(['stores'], document.createNode({ [STORE_NAME]: store }));
  document.setIn(['keys', 'identity'], document.createNode({ file: identityFile }));
  const plans = document.get('plans');
  if (isMap(plans)) {
    for (const { key } of plans.items)
      document.setIn(['plans', String(key), 'stores'], document.createNode([STORE_NAME]));
  }
  const file = path.join(stateDirectory(name), 'recovered.yaml');
  const { writeFile } = await import('node:fs/promises');
  await writeFile(file, document.toString(), { mode: 0o600 });
  await loadSystemFile(file);
  return registerSystem(file);
}

/** A bucket without a prefix means what it means in a system file: the vault lies under the system's name. */
function storeConfig(system: string, store: KitStore): StoreAddress {
  if (store.kind === 'directory') return { name: STORE_NAME, ...store, mustBeMounted: false };
  const { endpoint, prefix, ...rest } = store;
  const place = { ...rest, prefix: prefix === '' ? system : prefix };
  return { name: STORE_NAME, ...place, ...(endpoint === undefined ? {} : { endpoint }) };
}

/** `/path` or `s3://bucket/prefix?endpoint=…&region=…&pathStyle=true`; credentials come from the AWS variables. */
export function parseStore(place: string): KitStore {
  if (!place.startsWith('s3://')) return { kind: 'directory', path: path.resolve(place) };
  let url: URL;
  try {
    url = new URL(place);
  } catch (cause) {
    throw new HoldfastError('BadInput', `${place.split('?')[0] ?? ''} is no S3 address`, {
      cause,
      hint: 'Write s3://bucket/prefix, with ?endpoint=https://… for a server that is not AWS.',
    });
  }
  if (url.username !== '' || url.password !== '') {
    throw new HoldfastError('BadInput', 'an S3 address holds no credentials', {
      hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead.',
    });
  }
  const endpoint = url.searchParams.get('endpoint');
  const pathStyle = url.searchParams.get('pathStyle');
  return {
    kind: 's3',
    bucket: url.hostname,
    prefix: url.pathname.replace(/^\/+|\/+$/g, ''),
    region: url.searchParams.get('region') ?? process.env['AWS_REGION'] ?? 'us-east-1',
    pathStyle: pathStyle === null ? endpoint !== null : pathStyle === 'true',
    ...(endpoint === null ? {} : { endpoint }),
  };
}
