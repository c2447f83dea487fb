/** A system file with one plan, of which a test says the limits; and its backups. */
import type { BackupSeen, VerdictSeen } from '../../src/policy/backup-seen.ts';
import { parseSystem as parse } from '../../src/system/parse.ts';
import type { System } from '../../src/system/types.ts';
import { keySection } from '../system/keys.ts';

/** Lines below the plan, and lines of the section `monitor`. */
export function parseSystem(plan: readonly string[], monitor: readonly string[] = []): System {
  const lines = [
    'system: shop',
    'stores:',
    '  vault: { kind: directory, path: /srv/vault }',
    '  away: { kind: directory, path: /mnt/away, place: elsewhere }',
    'components:',
    '  data: { kind: files, tier: critical, path: /data }',
    'plans:',
    '  daily:',
    '    components: [data]',
    '    stores: [vault, away]',
    "    schedule: '0 2 * * *'",
    '    rpo: 1d',
    ...plan.map((line) => `    ${line}`),
    ...(monitor.length === 0 ? [] : ['monitor:', ...monitor.map((line) => `  ${line}`)]),
    keySection(),
  ];
  return parse(lines.join('\n'), 'shop.yaml');
}

export const NOW = Date.parse('2026-11-21T12:00:00Z');
export const HOUR = 3600;
export const DAY = 86_400;

let count = 0;
/** So old at NOW. */
export function backup(ageSeconds: number, own: Partial<BackupSeen> = {}): BackupSeen {
  count += 1;
  const atMs = NOW - ageSeconds * 1000;
  return {
    id: `b${count}`,
    key: `backups/daily/${count}.json`,
    sha256: String(count),
    plan: 'daily',
    purpose: 'backup',
    generation: 0,
    trusted: true,
    startedAtMs: atMs,
    pointAtMs: atMs,
    finishedAtMs: atMs + 1000,
    downtimeMs: 0,
    signer: 's',
    sequence: count,
    components: [{ name: 'data', kind: 'files', sizeBytes: 1_000_000, storedBytes: 10 }],
    stores: ['vault'],
    verdicts: [],
    ...own,
  };
}
export const verdict = (own: Partial<VerdictSeen> = {}): VerdictSeen => ({
  store: 'vault',
  level: 'content',
  ok: true,
  atMs: NOW,
  errors: 0,
  ...own,
});
