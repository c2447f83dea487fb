/** A guard on a real store: two sites hand a stack from one to the other, and signers come and go. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { fencedFromMs, rememberRenewals } from '../../src/policy/failover/lease.ts';
import { generateSshKeyPair } from '../../src/seal/index.ts';
import { leaseBook } from '../../src/sites/lease-book.ts';
import { bootClockMs } from '../../src/sites/boot-clock.ts';
import { SiteGuard, type Stack } from '../../src/sites/site-guard.ts';
import { signerOf } from '../../src/vault/envelope.ts';
import { clearGeneration, generationKeyOf, raiseGeneration, type Authority } from '../../src/vault/sites/generation.ts';
import { renewalsOfOthers } from '../../src/vault/sites/renewal.ts';
import { readTrustRoots } from '../../src/vault/trust.ts';
import { makeTestVault, type TestVault } from '../support/vault.ts';

const TIMES = { leaseMs: 40_000, stopMs: 10_000 };

let vault: TestVault;
let authority: Authority;

beforeEach(async () => {
  vault = await makeTestVault();
  const { store, vaultId, keys } = vault;
  authority = { store, vaultId, roots: await readTrustRoots(store, vaultId, keys.root.fingerprint) };
});

afterEach(() => {
  vi.useRealTimers();
  return vault[Symbol.asyncDispose]();
});

const signer = () => signerOf(vault.keys.signer.privateKey);

class Site implements Stack {
  up = false;
  readonly guard: SiteGuard;
  /** Jumps where a test wants a lease to be over. */
  aheadMs = 0;

  constructor(site: string) {
    const place = { site, host: `${site}-1` };
    const tell = (error: Error): never => {
      throw error;
    };
    this.guard = new SiteGuard({
      ...{ site, times: TIMES, stack: this, clock: () => this.nowMs, wanted: () => true, tell: () => undefined },
      book: leaseBook({ authority, place, signer: signer(), tell }),
    });
  }

  get nowMs(): number {
    return bootClockMs() + this.aheadMs;
  }

  look = (): Promise<'up' | 'down'> => Promise.resolve(this.up ? 'up' : 'down');
  start = (): Promise<void> => Promise.resolve(void (this.up = true));
  stop = (): Promise<void> => Promise.resolve(void (this.up = false));

  /** Looks until it is so; the store answers in its own time. */
  async until(is: () => boolean): Promise<void> {
    for (let looks = 0; !is(); looks += 1) {
      if (looks > 2000) throw new Error('it did not come to that');
      this.aheadMs += 100;
      this.guard.tick();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

async function putOn(site: string, n: number): Promise<void> {
  const by = { signer: signer(), atMs: Date.now() };
  const raised = await raiseGeneration(authority, { n, site, raiseId: `${site}-${n}` }, by);
  if (raised.kind !== 'raised') throw new Error('nobody else was there');
  await clearGeneration(authority, raised.record, { fencing: 'first', evidence: 'test' }, by);
}

it('the stack runs at the site of the newest generation, and stops at the other before that one may start', async () => {
  await putOn('frankfurt', 1);
  const [frankfurt, ohio] = [new Site('frankfurt'), new Site('ohio')];
  await frankfurt.until(() => frankfurt.up);

  const by = { signer: signer(), atMs: Date.now() };
  const raised = await raiseGeneration(authority, { n: 2, site: 'ohio', raiseId: 'run-1' }, by);
  if (raised.kind !== 'raised') throw new Error('nobody else was there');
  const seen = rememberRenewals([], await renewalsOfOthers(authority, 'ohio'), ohio.nowMs);
  expect(fencedFromMs(seen)).toBeGreaterThan(ohio.nowMs + TIMES.leaseMs);
  // Not cleared yet: it renews, and starts nothing.
  await ohio.until(() => ohio.nowMs > fencedFromMs(seen));
  expect(ohio.up).toBe(false);
  await frankfurt.until(() => !frankfurt.up);

  await clearGeneration(authority, raised.record, { fencing: 'lease', evidence: 'waited' }, by);
  await ohio.until(() => ohio.up);
  let looks = 0;
  await frankfurt.until(() => (looks += 1) > 50);
  expect(frankfurt.up).toBe(false);
});

it('a generation that nobody can believe: a stranger can not raise it here, and where one lies the lease runs out, as if nobody answered', async () => {
  await putOn('frankfurt', 1);
  const frankfurt = new Site('frankfurt');
  await frankfurt.until(() => frankfurt.up);
  const stranger = signerOf(generateSshKeyPair('stranger').privateKey);
  const raising = raiseGeneration(
    authority,
    { n: 2, site: 'ohio', raiseId: 'x' },
    { signer: stranger, atMs: Date.now() },
  );
  await expect(raising).rejects.toMatchObject({ code: 'Untrusted' });
  await vault.store.put(generationKeyOf(2), Buffer.from('{}'), { createOnly: true });
  await frankfurt.until(() => !frankfurt.up);
});

it.each([-20, 20])(
  'the wall clock jumps by %i years while it runs: the lease is neither lost nor kept by it',
  async (years) => {
    await putOn('frankfurt', 1);
    const frankfurt = new Site('frankfurt');
    await frankfurt.until(() => frankfurt.up);
    const nowMs = Date.now();
    vi.useFakeTimers({ toFake: ['Date'], now: nowMs + years * 365.25 * 86_400_000 });
    const heldMs = frankfurt.guard.heldUntilMs ?? 0;
    await frankfurt.until(() => {
      expect(frankfurt.up).toBe(true);
      return (frankfurt.guard.heldUntilMs ?? 0) > heldMs + TIMES.leaseMs;
    });
    vi.setSystemTime(Date.now() - years * 700 * 86_400_000);
    // At the other site it is today.
    await raiseGeneration(authority, { n: 2, site: 'ohio', raiseId: 'run-1' }, { signer: signer(), atMs: nowMs });
    await frankfurt.until(() => !frankfurt.up);
  },
);

it('fifty renewals: only the newest few stay in the store', async () => {
  const book = leaseBook({
    ...{ authority, place: { site: 'frankfurt', host: 'f1' }, signer: signer() },
    tell: (error) => {
      throw error;
    },
  });
  for (let n = 0; n < 50; n += 1) await book.renew(TIMES);
  const [seen] = await renewalsOfOthers(authority, 'ohio');
  expect(seen?.mark.split('\n').length).toBeLessThan(30);
});
