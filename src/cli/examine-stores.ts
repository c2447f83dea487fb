/** Stores are tried, not trusted: by small objects under `probe/`, written, listed, read and removed. */
import { CLOCK_TOLERANCE_MS } from '../policy/freshness.ts';
import { formatMilliseconds } from '../observe/format.ts';
import { sshFingerprint, sshPublicKeyOf } from '../seal/index.ts';
import { openStore, type Store } from '../stores/index.ts';
import { probeStore } from '../stores/probe.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { StoreConfig, System } from '../system/types.ts';
import { readHead } from '../vault/head.ts';
import { readTrustRoots } from '../vault/trust.ts';
import { failed, ok, warn, type Finding } from './examination.ts';

const CLOCK_WARNING_MS = 10_000;

export async function examineStores(system: System): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const config of system.stores) {
    const what = `store ${config.name}`;
    try {
      const store = await openStore(config, resolveSecret);
      try {
        findings.push(...(await examineStore(what, store, { system, config })));
      } finally {
        await store.close();
      }
    } catch (error) {
      findings.push(failed(what, error));
    }
  }
  return findings;
}

async function examineStore(
  what: string,
  store: Store,
  { system, config }: { system: System; config: StoreConfig },
): Promise<Finding[]> {
  // First the vault: where there is none nothing is written, so that a wrong path stays untouched.
  const { vaultId } = await readHead(store, system.name);
  const findings = [ok(what, `${store.label}, vault ${vaultId}`)];
  findings.push(...(await probe(what, store, config)));
  findings.push(await examineSigner(what, store, system, vaultId));
  return findings;
}

/** What the store honours, and its clock against this machine's. */
async function probe(what: string, store: Store, config: StoreConfig): Promise<Finding[]> {
  const facts = await probeStore(store);
  const { mayRead, mayDelete, keepsSha256, notes, clock } = facts;
  const rights = ['write', 'list', ...(mayRead ? ['read'] : []), ...(mayDelete ? ['delete'] : [])].join(', ');
  return [
    ok(`${what}: create-only`, 'one of racing writers wins; listing shows what was just written'),
    ok(`${what}: rights`, rights),
    ok(`${what}: checksums`, keepsSha256 ? 'kept by the store' : 'none of its own'),
    ...(facts.versions === 'none' ? [] : [ok(`${what}: versions`, VERSIONS[facts.versions])]),
    ...(facts.locks === 'none' ? [] : [ok(`${what}: locks`, LOCKS[facts.locks])]),
    ...(facts.cold ? [ok(`${what}: class`, classText(config))] : []),
    ...notes.map((note) => ok(`${what}: note`, note)),
    clockFinding(what, clock.storeMs, clock.beforeMs, clock.afterMs),
  ];
}

const VERSIONS = {
  kept: 'what is deleted or replaced stays as a version',
  untold: 'not for these credentials to ask',
} as const;
const LOCKS = { held: 'a locked object could not be deleted', untried: 'not tried with these credentials' } as const;

function classText(config: StoreConfig): string {
  const named = 'storageClass' in config ? config.storageClass : undefined;
  return `${named ?? 'the standard one'} for what backups are made of; archive classes are thawed before they are read`;
}

function clockFinding(what: string, storeMs: number, before: number, after: number): Finding {
  // The store's clock has whole seconds in some protocols.
  const off = Math.max(0, before - storeMs - 1000, storeMs - after);
  const detail = off === 0 ? 'agrees with this machine' : `differs by ${formatMilliseconds(off)} from this machine`;
  if (off < CLOCK_WARNING_MS) return ok(`${what}: clock`, detail);
  const doThis = 'Synchronise the clocks (NTP): ages, freshness and signatures depend on them.';
  if (off < CLOCK_TOLERANCE_MS) return warn(`${what}: clock`, detail, doThis);
  return { state: 'fail', what: `${what}: clock`, detail, doThis };
}

async function examineSigner(what: string, store: Store, system: System, vaultId: string): Promise<Finding> {
  const name = `${what}: signer`;
  try {
    const own = sshFingerprint(sshPublicKeyOf(`${await resolveSecret(system.keys.signer)}\n`));
    const { signers } = await readTrustRoots(store, vaultId, system.keys.rootFingerprint);
    const admitted = signers.get(own);
    if (admitted !== undefined)
      return ok(name, `admitted as ${admitted.role} until ${admitted.validUntil.slice(0, 10)}`);
    const doThis = 'Admit it with the root key: `holdfast init <file> --kit <recovery kit>`.';
    return { state: 'fail', what: name, detail: `the root has not admitted ${own} in this vault`, doThis };
  } catch (error) {
    return failed(name, error);
  }
}
