/** A system whose one store is a test vault, and backups in it. */
import { buildEscalation } from '../../src/system/notify-build.ts';
import { buildMaintenance } from '../../src/system/schedule-build.ts';
import type { System } from '../../src/system/types.ts';
import { SYSTEM, type TestVault } from '../support/vault.ts';

export function systemOf(vault: TestVault, own: Partial<System> = {}): System {
  const { fingerprint } = vault.keys.root;
  return {
    name: SYSTEM,
    site: 'home',
    hosts: ['local'],
    components: [
      {
        kind: 'files',
        name: 'config',
        tier: 'critical',
        host: 'local',
        after: [],
        path: vault.directory,
        include: [],
        exclude: [],
        minimumAgeSeconds: 0,
      },
    ],
    plans: [
      {
        name: 'daily',
        components: ['config'],
        stores: ['vault'],
        onChange: false,
        keepIn: {},
        verify: 'presence',
        rpoSeconds: 86_400,
      },
    ],
    stores: [
      {
        name: 'vault',
        kind: 'directory',
        path: vault.storePath,
        mustBeMounted: false,
        place: 'home',
        medium: 'disk',
        maintainedBy: 'local',
        verifyEverySeconds: 30 * 86_400,
      },
    ],
    keys: {
      recipients: [],
      chunkIdKey: { env: 'NOT_NEEDED' },
      signer: { env: 'NOT_NEEDED' },
      rootFingerprint: fingerprint,
    },
    approval: { limitSeconds: 3600 },
    keepAsideSeconds: 3600,
    notify: [],
    escalation: buildEscalation(undefined, []),
    sourceText: '',
    sourcePath: '',
    maintenance: buildMaintenance(),
    ...own,
  };
}

/** A committed backup of the plan `daily`, with nothing in it; its key. */
export async function storedBackup(
  vault: TestVault,
  options: { readonly atMs?: number; readonly proof?: boolean; readonly ok?: boolean; readonly plan?: string },
): Promise<string> {
  const { atMs = Date.now(), plan = 'daily' } = options;
  const writer = await vault.writer();
  try {
    const ticket = await writer.begin({ captureId: `run-${atMs}-${plan}`, plan, startedAtMs: atMs });
    const { manifestKey, sha256 } = await writer.commit({
      ticket,
      system: SYSTEM,
      site: 'home',
      purpose: 'backup',
      pointAt: new Date(atMs).toISOString(),
      generation: 0,
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
