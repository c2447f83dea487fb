/** A system whose one store is a test vault, and backups in it. */
import { parseSystem } from '../../src/system/parse.ts';
import type { System } from '../../src/system/types.ts';
import { SYSTEM, type TestVault } from '../support/vault.ts';

export function systemOf(vault: TestVault, lines: readonly string[] = []): System {
  const text = [
    `system: ${SYSTEM}`,
    `stores: { vault: { kind: directory, path: ${vault.storePath} } }`,
    `components: { config: { kind: files, tier: critical, path: ${vault.directory} } }`,
    'plans: { daily: { components: [config], stores: [vault], rpo: 1d } }',
    'keys:',
    `  recipients: [${vault.keys.operations.recipient}, ${vault.keys.escrow.recipient}]`,
    '  chunkIdKey: { env: NOT_NEEDED }',
    '  signer: { env: NOT_NEEDED }',
    `  rootFingerprint: ${vault.keys.root.fingerprint}`,
    ...lines,
  ];
  return parseSystem(text.join('\n'), 'test.yaml');
}

/** A committed backup of the plan `daily`, with nothing in it; its key. */
export async function storedBackup(
  vault: TestVault,
  options: {
    readonly atMs?: number;
    readonly proof?: boolean;
    readonly ok?: boolean;
    readonly plan?: string;
    readonly generation?: number;
  },
): Promise<string> {
  const { atMs = Date.now(), plan = 'daily', generation = 0 } = options;
  const writer = await vault.writer();
  try {
    const ticket = await writer.begin({ captureId: `run-${atMs}-${plan}`, plan, startedAtMs: atMs });
    const { manifestKey, sha256 } = await writer.commit({
      ticket,
      system: SYSTEM,
      site: 'home',
      purpose: 'backup',
      pointAt: new Date(atMs).toISOString(),
      generation,
      components: [],
      systemFileText: 'system: test\n',
      freezes: [],
    });
    if (options.proof === true) {
      await writer.writeProof({
        format: 1,
        vaultId: vault.vaultId,
        manifestKey,
        manifestSha256: sha256,
        level: 'content',
        at: new Date().toISOString(),
        ok: options.ok ?? true,
        objectsChecked: 1,
        bytesChecked: 1,
        bad: [],
        moreBad: 0,
        signer: '',
      });
    }
    return manifestKey;
  } finally {
    await writer.close();
  }
}
