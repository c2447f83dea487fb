/** Stores are tried, not trusted: by small objects under `probe/`, written, listed, read and removed. */
import { CLOCK_TOLERANCE_MS } from '../policy/freshness.ts';
import { formatMilliseconds } from '../observe/format.ts';
import { sshFingerprint, sshPublicKeyOf } from '../seal/index.ts';
import { openStore, type Store } from '../stores/index.ts';
import { probeStore } from '../stores/probe.ts';
import { localHost } from '../system/home.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { System } from '../system/types.ts';
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
        findings.push(...(await examineStore(what, store, system)));
      } finally {
        await store.close();
      }
    } catch (error) {
      findings.push(failed(what, error));
    }
  }
  return findings;
}

async function examineStore(what: string, store: Store, system: System): Promise<Finding[]> {
  // First the vault: where there is none nothing is written, so that a wrong path stays untouched.
  const { vaultId } = await readHead(store, system.name);
  const findings = [ok(what, `${store.label}, vault ${vaultId}`)];
  findings.push(...(await probe(what, store, `probe/${hostName(system)}`)));
  findings.push(await examineSigner(what, store, system, vaultId));
  return findings;
}

function hostName(system: System): string {
  try {
    return localHost(system);
  } catch {
    return 'unknown';
  }
}

/** What the store honours, and its clock against this machine's. */
async function probe(what: string, store: Store, clockKey: string): Promise<Finding[]> {
  const { mayRead, mayDelete, keepsSha256, notes } = await probeStore(store);
  const rights = ['write', 'list', ...(mayRead ? ['read'] : []), ...(mayDelete ? ['delete'] : [])].join(', ');
  const findings = [
    ok(`${what}: create-only`, 'one of racing writers wins; listing shows what was just written'),
    ok(`${what}: rights`, rights),
    ok(`${what}: checksums`, keepsSha256 ? 'kept by the store' : 'none of its own'),
    ...notes.map((note) => ok(`${what}: note`, note)),
  ];
  // One key for each host, so that a store that lets nobody delete keeps one small object and no more.
  const before = Date.now();
  const written = await store.put(clockKey, Buffer.from('holdfast doctor\n'), { createOnly: false }).then(
    () => true,
    () => false,
  );
  const after = Date.now();
  const info = written ? await store.head(clockKey) : undefined;
  if (info !== undefined) findings.push(clockFinding(what, info.modifiedAtMs, before, after));
  if (mayDelete) await store.delete(clockKey);
  return findings;
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
