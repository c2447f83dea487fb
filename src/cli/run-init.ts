/** `init`, step by step; each step can be repeated, so that an interrupted one is completed by running it again. */
import { access, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import { openStore, type Store } from '../stores/index.ts';
import { registerSystem } from '../system/load.ts';
import { parseSystem, parseSystemWithoutKeys } from '../system/parse.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { StoreConfig, System } from '../system/types.ts';
import { sshPublicKeyOf } from '../seal/index.ts';
import { generateKeys, initVault, parseChunkIdKey } from '../vault/index.ts';
import type { InitOptions } from './init.ts';
import { keysSection, readPending, removePending, writeKeyFiles, writeNew, writePending } from './key-files.ts';
import { kitText, readKit } from './kit-file.ts';
import { recoverKeyFiles } from './recover-keys.ts';
import type { ExitCode, Shell } from './shell.ts';

/** A signer that ends unnoticed stops every backup, so it is the root's word that ends it. */
const SIGNER_YEARS = 20;

export async function writeExample(shell: Shell, file: string): Promise<ExitCode> {
  const model = await readFile(new URL('../../examples/model.yaml', import.meta.url), 'utf8');
  const target = path.resolve(file);
  await writeNew(target, model);
  shell.result({ ok: true, file: target }, () => `wrote ${target}; change what is marked, then: holdfast init ${file}`);
  return 0;
}

interface MadeVault {
  readonly store: string;
  readonly label: string;
  readonly vaultId: string;
  readonly created: boolean;
}

export async function init(shell: Shell, file: string, options: InitOptions): Promise<ExitCode> {
  const target = path.resolve(file);
  const text = await readSystemText(target);
  const { system: name, keys } = parseSystemWithoutKeys(text, target);
  const pending = await readPending(name);
  if (keys === undefined || pending !== undefined) return initNew(shell, target, text, name, options);
  return initAgain(shell, target, options);
}

async function readSystemText(target: string): Promise<string> {
  try {
    return await readFile(target, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new HoldfastError('BadInput', `the system file ${target} can't be read (${code ?? 'unknown error'})`, {
      cause,
      hint: `Make one with \`holdfast init --example ${path.basename(target)}\`.`,
    });
  }
}

async function initNew(
  shell: Shell,
  file: string,
  text: string,
  name: string,
  options: InitOptions,
): Promise<ExitCode> {
  if (options.kit !== undefined) await refuseExisting(options.kit);
  const keys = await keysOf(name);
  const paths = await writeKeyFiles(name, keys, options.writeOnly !== true);
  const whole = /^keys:/m.test(text) ? text : `${text.trimEnd()}\n${keysSection(keys, paths)}`;
  const system = parseSystem(whole, file);
  requireOwnKeys(system, keys.root.fingerprint);
  const vaults = await makeVaults(system, keys.root.privateKey, new Date(keys.createdAt));
  if (whole !== text) await replaceFile(file, whole);
  await registerSystem(file);
  const kit = kitText(name, vaults[0]?.vaultId ?? '', firstStore(system), keys);
  if (options.kit !== undefined) await writeNew(path.resolve(options.kit), kit);
  const shown = options.kit === undefined ? { kit } : { kitFile: path.resolve(options.kit) };
  shell.result({ ok: true, system: name, file, vaults, keys: paths, ...shown }, (colours) => {
    const lines = [`${colours.green('ready')} ${colours.bold(name)}`, ...vaults.map(vaultLine)];
    if (options.kit === undefined) lines.push('', 'Print this and put it in a safe; it is not shown again:', '', kit);
    else lines.push(`  kit    ${options.kit}: print it, put it in a safe, and remove the file`);
    lines.push(`next: holdfast doctor ${name}`);
    return lines.join('\n');
  });
  // Only now: until the kit is out of our hands these are the only copies of the root and the escrow identity.
  await removePending(name);
  return 0;
}

async function keysOf(name: string) {
  const pending = await readPending(name);
  if (pending !== undefined) return pending;
  const keys = { ...generateKeys(name), createdAt: new Date().toISOString() };
  await writePending(name, keys);
  return keys;
}

/** With a section `keys` written by hand the file and the keys made here could disagree. */
function requireOwnKeys(system: System, rootFingerprint: string): void {
  if (system.keys.rootFingerprint === rootFingerprint) return;
  throw new HoldfastError('BadInput', `the keys in ${system.sourcePath} are not those that init has made`, {
    hint: 'Remove the section `keys` from the file and run init again.',
  });
}

async function refuseExisting(file: string): Promise<void> {
  const exists = await access(file).then(
    () => true,
    () => false,
  );
  if (!exists) return;
  throw new HoldfastError('TargetNotEmpty', `${file} exists and is never overwritten`, { hint: 'Name another file.' });
}

/** The file has its keys. With the kit: key files and vaults that are missing are made, such as after a machine was lost. */
async function initAgain(shell: Shell, file: string, options: InitOptions): Promise<ExitCode> {
  const system = await registerSystem(file);
  const { vaults, recovered, notes } =
    options.kit === undefined
      ? { vaults: await lookAtVaults(system), recovered: [], notes: [] }
      : await completeWithKit(system, options.kit);
  shell.result({ ok: true, system: system.name, file, vaults, recovered, notes }, (colours) =>
    [
      `${colours.green('ready')} ${colours.bold(system.name)}; it has its keys`,
      ...recovered.map((what) => `  made   ${what}`),
      ...vaults.map(vaultLine),
      ...notes.map((what) => `  ${what}`),
      `next: holdfast doctor ${system.name}`,
    ].join('\n'),
  );
  return 0;
}

async function completeWithKit(
  system: System,
  file: string,
): Promise<{ vaults: MadeVault[]; recovered: string[]; notes: string[] }> {
  const { kit, rootKey } = await readKit(file);
  if (rootKey === undefined) {
    throw new HoldfastError('BadInput', `${file} holds no root key, which makes vaults and admits signers`, {
      hint: 'Use the whole page that `holdfast init` printed.',
    });
  }
  const recovered = await recoverKeyFiles(system, kit);
  const vaults = await makeVaults(system, rootKey, new Date());
  const { admitKeeper } = await import('./admit-keeper.ts');
  const notes = await withStores(system, (stores) => admitKeeper(system, rootKey, stores));
  return { vaults, recovered, notes };
}

/** A store that was added to the file since gets the vault that the others hold. */
async function lookAtVaults(system: System): Promise<MadeVault[]> {
  return withStores(system, async (stores) => {
    const { joinVault } = await import('../vault/join.ts');
    const { findHead } = await import('../vault/head.ts');
    const heads = await Promise.all(stores.map(async (one) => ({ ...one, head: await findHead(one.store) })));
    const first = heads.find(({ head }) => head !== undefined);
    if (first === undefined) {
      const names = stores.map(({ name, store }) => `${name} (${store.label})`).join(', ');
      throw new HoldfastError('NotAVault', `no store holds a vault yet: ${names}`, {
        hint: 'Run init again with --kit and the recovery kit: its root key makes the vault.',
      });
    }
    const found: MadeVault[] = [];
    for (const { name, store, head } of heads) {
      const joined =
        store === first.store
          ? { vaultId: head?.vaultId ?? '', created: false }
          : await joinVault(first.store, store, system.name);
      found.push({ store: name, label: store.label, ...joined });
    }
    return found;
  });
}

async function makeVaults(system: System, rootKey: string, from: Date): Promise<MadeVault[]> {
  const publicKey = sshPublicKeyOf(`${await resolveSecret(system.keys.signer)}\n`);
  const chunkIdKey = parseChunkIdKey(await resolveSecret(system.keys.chunkIdKey));
  // Clocks of two machines differ; a signature from just before must not look unauthorised.
  const validFrom = new Date(from.getTime() - 86_400_000);
  const validUntil = new Date(from);
  validUntil.setUTCFullYear(validUntil.getUTCFullYear() + SIGNER_YEARS);
  return withStores(system, async (stores) => {
    const { joinVault } = await import('../vault/join.ts');
    const { findHead } = await import('../vault/head.ts');
    // Where a vault is already, the others become it: one id for all stores.
    const heads = await Promise.all(stores.map(async (one) => ({ ...one, head: await findHead(one.store) })));
    const ordered = heads.toSorted((a, b) => Number(b.head !== undefined) - Number(a.head !== undefined));
    const made: MadeVault[] = [];
    for (const { name, store } of ordered) {
      const [first] = ordered;
      const joined =
        first === undefined || store === first.store ? undefined : await joinVault(first.store, store, system.name);
      const { vaultId, created } = await initVault({
        store,
        system: system.name,
        recipients: system.keys.recipients,
        chunkIdKey,
        rootKey,
        signers: [{ name: system.hosts.join(','), publicKey, role: 'capture', validFrom, validUntil }],
      });
      made.push({ store: name, label: store.label, vaultId, created: joined?.created ?? created });
    }
    return system.stores.flatMap(({ name }) => made.filter(({ store }) => store === name));
  });
}

interface OpenStore {
  readonly name: string;
  readonly store: Store;
}

async function withStores<T>(system: System, use: (stores: readonly OpenStore[]) => Promise<T>): Promise<T> {
  const opened: OpenStore[] = [];
  try {
    for (const config of system.stores) {
      opened.push({ name: config.name, store: await openStore(config, resolveSecret) });
    }
    return await use(opened);
  } finally {
    await Promise.all(opened.map(({ store }) => store.close()));
  }
}

function firstStore(system: System): StoreConfig {
  const [first] = system.stores;
  if (first === undefined) throw new HoldfastError('BadSystemFile', `${system.name} has no store`);
  return first;
}

function vaultLine({ store, label, vaultId, created }: MadeVault): string {
  return `  vault  ${store}: ${label} (${created ? 'made' : 'there'}, ${vaultId})`;
}

/** Atomic, with the mode the file had. */
async function replaceFile(file: string, text: string): Promise<void> {
  const { mode } = await stat(file);
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, text, { mode: mode & 0o777, flag: 'wx', flush: true });
  await rename(temporary, file);
}
