/** What a drill wrote beside a backup keeps it: a prune counts it among those that are proved. */
import { expect, test } from 'vitest';
import { planPrune } from '../../src/vault/sweep/prune-plan.ts';
import { readTrustRoots } from '../../src/vault/trust.ts';
import { artifactOf, backUp, makeTestVault, noise, recipeSegment } from '../support/vault.ts';

const DAY = 24 * 3600_000;
const signal = new AbortController().signal;

test('[G4] a drill restored an old backup: it stays as the proved one, beside the newest; that objects are there keeps none', async () => {
  await using vault = await makeTestVault();
  const writer = await vault.writer();
  const made: string[] = [];
  for (const index of [0, 1, 2, 3]) {
    const artifacts = [artifactOf('tree.tar', [recipeSegment(`f${index}`, [noise(index, 10_000)])])];
    const startedAtMs = Date.now() - (4 - index) * 3600_000;
    made.push((await backUp(writer, { captureId: `run-${index}`, artifacts, startedAtMs })).manifestKey);
  }
  const [present = '', restored = '', failed = '', newest = ''] = made;
  const seen = await writer.verifyPresence(present, { signal });
  await writer.writeProof(seen);
  for (const [manifestKey, ok] of [
    [restored, true],
    [failed, false],
  ] as const) {
    const own = await writer.verifyPresence(manifestKey, { signal });
    await writer.writeProof({ ...own, level: 'restored', ok });
  }
  await writer.close();

  const { store, vaultId, keys } = vault;
  const from = { store, vaultId, roots: await readTrustRoots(store, vaultId, keys.root.fingerprint) };
  const plan = {
    ...{ name: 'daily', components: [], onChange: false, stores: ['nas'], verify: 'presence' as const },
    ...{ keep: { last: 1, proved: 1 }, keepIn: {} },
  };
  const { decisions } = await planPrune(from, {
    system: { plans: [plan], keepAsideSeconds: 3600 },
    ...{ storeName: 'nas', nowMs: Date.now() + 2 * DAY, minimumAgeSeconds: 0, signal },
  });
  const why = Object.fromEntries(decisions.map(({ key, keep, reasons }) => [key, keep ? reasons.join('; ') : 'goes']));
  expect(why).toEqual({
    [newest]: 'one of the last 1 (1)',
    [failed]: 'its newest verdict found damage',
    [restored]: 'proved: at least 1 stay',
    [present]: 'goes',
  });
});
