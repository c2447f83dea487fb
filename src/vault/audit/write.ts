/** One event into a system's audit log with this machine's signer: a keeper's key where there is one. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { readJson, writeDurably } from '../../docker/durable-file.ts';
import { patientHostLock } from '../../docker/host-lock.ts';
import { HoldfastError } from '../../failures.ts';
import { generateSshKeyPair } from '../../seal/index.ts';
import type { AuditHeadSeen } from '../../policy/audit-chain.ts';
import { openStore, type Store } from '../../stores/index.ts';
import { resolveSecret, type System } from '../../system/index.ts';
import { signerOf, type Signer } from '../envelope.ts';
import { readHead } from '../head.ts';
import { appendAudit, headsIn, type Appended, type AuditPlace } from './append.ts';
import type { AuditBody } from './record.ts';

const keySchema = z.object({ privateKey: z.string() });

export interface AuditWriting {
  /** Of this machine and system: where it remembers its own log. */
  readonly directory: string;
  /** Without a signer it makes a key, which nobody has admitted. */
  readonly ownKey: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Writes into every store that can be reached. A repeat finds the event, and brings it to those that lacked it. Throws what
 * kept it from all of them, SecretMissing where there is no signer, and HostBusy when others write for minutes.
 */
export async function writeAudit(
  system: System,
  event: AuditBody['event'],
  { directory, ownKey, signal }: AuditWriting,
): Promise<Appended> {
  // Two writers of one key would only take each other's numbers.
  const lock = await patientHostLock(`audit ${directory}`, signal);
  const opened: Store[] = [];
  try {
    const signer = await signerHere(system, directory, ownKey);
    const { places, vaultId, lacking } = await openAll(system, opened);
    const memory = { name: 'this host', store: await memoryOf(directory, opened), memory: true } as const;
    const appended = await appendAudit([...places, memory], { vaultId, signer }, event);
    return { ...appended, lacking: [...appended.lacking, ...lacking] };
  } finally {
    await Promise.all(opened.map((store) => store.close()));
    await lock.release();
  }
}

/** The newest records that this machine has written itself, by its own memory of them. */
export async function headsRemembered(directory: string): Promise<AuditHeadSeen[]> {
  if (!existsSync(memoryPath(directory))) return [];
  const opened: Store[] = [];
  try {
    return await headsIn(await memoryOf(directory, opened));
  } finally {
    await Promise.all(opened.map((store) => store.close()));
  }
}

function memoryPath(directory: string): string {
  return path.join(directory, 'audit-log');
}

async function memoryOf(directory: string, opened: Store[]): Promise<Store> {
  const config = {
    name: 'memory',
    kind: 'directory',
    path: memoryPath(directory),
    mustBeMounted: false,
  } as const;
  const store = await openStore(config, resolveSecret);
  opened.push(store);
  return store;
}

/** Throws SecretMissing on a host without a signer. */
async function signerHere({ keys }: System, directory: string, ownKey: boolean): Promise<Signer> {
  try {
    return signerOf(await resolveSecret(keys.keeper ?? keys.signer));
  } catch (error) {
    if (!ownKey || !(error instanceof HoldfastError) || error.code !== 'SecretMissing') throw error;
    return signerOf(await keyOfThisMachine(path.join(directory, 'audit-key.json')));
  }
}

/** Made once, so that what one machine says after a disaster is one log. */
async function keyOfThisMachine(file: string): Promise<string> {
  const kept = keySchema.safeParse(await readJson(file));
  if (kept.success) return kept.data.privateKey;
  const { privateKey } = generateSshKeyPair('holdfast audit, not admitted');
  await writeDurably(file, { privateKey });
  return privateKey;
}

interface Opened {
  readonly places: readonly AuditPlace[];
  readonly vaultId: string;
  readonly lacking: { readonly store: string; readonly why: string }[];
}

/** One that does not answer is passed over; throws what is wrong with the first when none does. */
async function openAll(system: System, opened: Store[]): Promise<Opened> {
  const places: AuditPlace[] = [];
  const lacking: { store: string; why: string }[] = [];
  let vaultId: string | undefined;
  let failure: HoldfastError | undefined;
  for (const config of system.stores) {
    try {
      const store = await openStore(config, resolveSecret, { role: 'maintain' });
      opened.push(store);
      const head = await readHead(store, system.name);
      vaultId ??= head.vaultId;
      if (head.vaultId !== vaultId) throw new HoldfastError('NotAVault', `${config.name} holds another vault`);
      places.push({ name: config.name, store });
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      failure ??= error;
      lacking.push({ store: config.name, why: error.message });
    }
  }
  if (vaultId === undefined) throw failure ?? new HoldfastError('BadInput', `${system.name} has no stores`);
  return { places, vaultId, lacking };
}
