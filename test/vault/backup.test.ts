import { expect, test } from 'vitest';

import { artifactOf, backUp, makeTestVault, noise, readAll, recipeSegment, streamSegment } from '../support/vault.ts';

test('[M3] a backup committed and read back: every byte is the same, and it is in the catalogue', async () => {
  await using vault = await makeTestVault();
  const writer = await vault.writer();
  const stream = noise(1, 9_000_000);
  const chunks = [noise(2, 1_000_000), noise(3, 500)];
  const made = await backUp(writer, {
    captureId: 'run-1',
    artifacts: [artifactOf('dump', [streamSegment(stream)]), artifactOf('tree.tar', [recipeSegment('f1', chunks)])],
  });
  await writer.close();

  const reader = await vault.reader();
  const [entry] = await reader.catalogue();
  expect(entry).toMatchObject({ key: made.manifestKey, sha256: made.sha256, trust: { ok: true } });
  expect(entry?.notes).toBeUndefined();
  const backup = await reader.open(made.manifestKey);
  const [dump, tree] = await backup.artifacts('ledger');
  expect((await readAll(dump)).equals(stream)).toBe(true);
  expect((await readAll(tree)).equals(Buffer.concat(chunks))).toBe(true);
  expect(await backup.systemFileText()).toContain('stack-under-test');
  const proof = await reader.verifyContent(made.manifestKey, { signal: new AbortController().signal });
  expect(proof).toMatchObject({ ok: true, bad: [], level: 'content' });
  await reader.close();
});
