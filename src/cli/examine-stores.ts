/** Stores are tried, not trusted: a small object is written, written again, read, listed and removed. */
import { CLOCK_TOLERANCE_MS } from '../policy/freshness.ts';
import { formatMilliseconds } from '../observe/format.ts';
import { sshFingerprint, sshPublicKeyOf } from '../seal/index.ts';
import { openStore, type Store } from '../stores/index.ts';
import { localHost } from '../system/home.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { System } from '../system/types.ts';
import { readHead } from '../vault/head.ts';
import { readTrustRoots } from '../vault/trust.ts';
import { tell } from './errors.ts';
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

/** One key for each host, so that a store that lets nobody delete keeps one small object and no more. */
async function probe(what: string, store: Store, key: string): Promise<Finding[]> {
  const bytes = Buffer.from('holdfast doctor\n');
  const before = Date.now();
  const first = await store.put(key, bytes, { createOnly: true });
  const after = Date.now();
  const findings: Finding[] = [];
  const second = await store.put(key, bytes, { createOnly: true });
  if (second === 'written') {
    findings.push({
      state: 'fail',
      what: `${what}: create-only`,
      detail: 'an existing object was overwritten by a create-only write',
      doThis: 'Use a store that honours conditional writes; without them two writers can destroy a backup.',
    });
  } else findings.push(ok(`${what}: create-only`, 'honoured'));
  const info = await store.head(key);
  if (first === 'written' && info !== undefined) findings.push(clockFinding(what, info.modifiedAtMs, before, after));
  findings.push(...(await readListRemove(what, store, key, bytes)));
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

async function readListRemove(what: string, store: Store, key: string, bytes: Uint8Array): Promise<Finding[]> {
  const findings: Finding[] = [];
  const listed: string[] = [];
  for await (const object of store.list('probe/')) listed.push(object.key);
  if (listed.includes(key)) findings.push(ok(`${what}: listing`, 'shows what was just written'));
  else {
    const doThis = 'Holdfast needs listing after writing; use another store.';
    findings.push({ state: 'fail', what: `${what}: listing`, detail: 'lacks what was just written', doThis });
  }
  const rights: string[] = [];
  try {
    const read = await store.get(key);
    if (Buffer.compare(read, bytes) !== 0) {
      const doThis = 'This store changes what it keeps; use another.';
      findings.push({ state: 'fail', what: `${what}: reading`, detail: 'gives other bytes than were written', doThis });
    } else rights.push('read');
  } catch (error) {
    if (tell(error).code !== 'StoreDenied') throw error;
  }
  try {
    await store.delete(key);
    rights.push('delete');
  } catch (error) {
    if (tell(error).code !== 'StoreDenied') throw error;
  }
  findings.push(ok(`${what}: rights`, ['write', 'list', ...rights].join(', ')));
  return findings;
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
