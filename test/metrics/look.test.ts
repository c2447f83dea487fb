import { rename } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Sample } from '../../src/metrics/definitions.ts';
import { lookAtDisks, lookAtStores } from '../../src/metrics/look.ts';
import { findingSamples, incidentSamples } from '../../src/metrics/monitor-samples.ts';
import { createPage } from '../../src/metrics/page.ts';
import { Paced } from '../../src/metrics/paced.ts';
import { logSamples } from '../../src/metrics/system-samples.ts';
import type { System } from '../../src/system/types.ts';
import { temporaryHome } from '../engine/home.ts';
import { storedBackup, systemOf } from '../status/vault-system.ts';
import { makeTestVault, SYSTEM, type TestVault } from '../support/vault.ts';

const NO_ENGINE = { running: false, operations: [] };
const HOUR_MS = 3_600_000;

let vault: TestVault;
let system: System;
let home: ReturnType<typeof temporaryHome>;
beforeAll(async () => {
  home = temporaryHome();
  vault = await makeTestVault();
  system = systemOf(vault);
});
afterAll(async () => {
  await vault[Symbol.asyncDispose]();
  home[Symbol.dispose]();
});

function value(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}): unknown {
  const found = samples.filter(
    (one) => one.name === name && Object.entries(labels).every(([label, text]) => one.labels[label] === text),
  );
  const [only] = found;
  if (found.length > 1) throw new Error(`${found.length} samples of ${name}`);
  if (only === undefined) return undefined;
  return 'value' in only ? only.value : { sinceSeconds: only.sinceSeconds };
}

describe('a look at the stores', () => {
  const nowMs = Date.now();
  const atMs = Math.floor(nowMs / 1000) * 1000 - HOUR_MS;

  it('a plan that promises and has no backup: as old as time, and so overdue', async () => {
    const { samples } = await lookAtStores(system, NO_ENGINE, undefined, nowMs);
    expect(value(samples, 'holdfast_recovery_point_timestamp_seconds')).toBe(0);
    expect(value(samples, 'backup_last_success_timestamp', { operation: 'backup' })).toBe(0);
    expect(value(samples, 'holdfast_recovery_point_limit_seconds')).toBe(86_400);
    expect(value(samples, 'holdfast_backups', { store: 'vault' })).toBe(0);
    expect(value(samples, 'holdfast_store_readable')).toBe(1);
  });

  it('a proved backup, then its store away: told as it was, the store as unreadable, and both again when it is back', async () => {
    await storedBackup(vault, { atMs, proof: true });
    const first = await lookAtStores(system, NO_ENGINE, undefined, nowMs);
    const facts = (samples: readonly Sample[]) => [
      value(samples, 'holdfast_recovery_point_timestamp_seconds'),
      value(samples, 'holdfast_recovery_point_age_seconds'),
      value(samples, 'holdfast_proved_timestamp_seconds'),
    ];
    const known = [atMs / 1000, { sinceSeconds: atMs / 1000 }, atMs / 1000];
    expect(facts(first.samples)).toEqual(known);
    expect(value(first.samples, 'holdfast_backups', { store: 'vault' })).toBe(1);

    const away = `${vault.storePath}-away`;
    await rename(vault.storePath, away);
    try {
      const second = await lookAtStores(system, NO_ENGINE, first.remembered, nowMs);
      expect(facts(second.samples)).toEqual(known);
      expect(value(second.samples, 'holdfast_store_readable')).toBe(0);
      expect(value(second.samples, 'holdfast_store_bad_objects')).toBeUndefined();
      // Who has never seen it says nothing, rather than that there is none.
      const blind = await lookAtStores(system, NO_ENGINE, undefined, nowMs);
      expect(facts(blind.samples)).toEqual([undefined, undefined, undefined]);
      expect(value(blind.samples, 'holdfast_store_readable')).toBe(0);
    } finally {
      await rename(away, vault.storePath);
    }
    const third = await lookAtStores(system, NO_ENGINE, first.remembered, nowMs);
    expect(facts(third.samples)).toEqual(known);
    expect(value(third.samples, 'holdfast_store_readable')).toBe(1);
  });

  it('a newer backup that failed its verification: counted as such, and not as the newest', async () => {
    await storedBackup(vault, { atMs: atMs + 60_000, proof: true, ok: false });
    const { samples } = await lookAtStores(system, NO_ENGINE, undefined, nowMs);
    expect(value(samples, 'holdfast_backups_failed_verification')).toBe(1);
    expect(value(samples, 'holdfast_recovery_point_timestamp_seconds')).toBe(atMs / 1000);
    expect(value(samples, 'holdfast_backups', { store: 'vault' })).toBe(2);
  });

  it('everything a look gives: fits the page', async () => {
    const { samples } = await lookAtStores(system, NO_ENGINE, undefined, nowMs);
    const page = createPage();
    page.replace('stores', samples);
    page.replace('disks', await lookAtDisks(undefined));
    const text = await page.text();
    expect(text).toContain(`holdfast_backups{system="${SYSTEM}",plan="daily",store="vault"} 2`);
    expect(text).toMatch(/holdfast_filesystem_available_bytes\{system="",place="state"\} \d+/);
  });
});

describe('other samples', () => {
  it('a log that nothing is stored of: behind, without a lag that nobody knows', () => {
    const samples = logSamples('shop', [
      { component: 'db', store: 'vault', gaps: ['a gap'], received: false, behind: true },
    ]);
    expect(value(samples, 'holdfast_wal_behind')).toBe(1);
    expect(value(samples, 'holdfast_wal_gaps')).toBe(1);
    expect(value(samples, 'holdfast_wal_received')).toBe(0);
    expect(value(samples, 'holdfast_wal_recovery_point_timestamp_seconds')).toBe(0);
    expect(value(samples, 'holdfast_wal_lag_seconds')).toBeUndefined();
  });

  it('findings and incidents: every kind has a value, also those that are gone', () => {
    const found = findingSamples('shop', { atMs: 5000, findings: [{ check: 'disk', severity: 'critical' }] });
    expect(value(found, 'holdfast_findings', { check: 'disk', severity: 'critical' })).toBe(1);
    expect(value(found, 'holdfast_findings', { check: 'disk', severity: 'warning' })).toBe(0);
    expect(value(found, 'holdfast_monitor_timestamp_seconds')).toBe(5);
    const workflowId = 'shop/incident/disk/a';
    const incident = { workflowId, runId: 'r', system: 'shop', id: 'disk/a', startedAt: '', running: true };
    const open = incidentSamples('shop', [incident, { ...incident, system: 'other' }, { ...incident, running: false }]);
    expect(value(open, 'holdfast_incidents_open', { severity: 'critical', state: 'open' })).toBe(1);
    expect(value(open, 'holdfast_incidents_open', { severity: 'critical', state: 'acknowledged' })).toBe(0);
  });

  it('a look that fails: counted, the time of the last good one kept, tried again', async () => {
    const page = createPage();
    const paced = new Paced(page);
    let looks = 0;
    const done = Promise.withResolvers<undefined>();
    paced.every('stores', 'shop', 1, () => {
      looks += 1;
      if (looks >= 3) done.resolve(undefined);
      return looks === 1 ? Promise.resolve() : Promise.reject(new Error('the store is away'));
    });
    await done.promise;
    await paced.stop();
    const text = await page.text();
    const labels = '{collector="stores",system="shop"}';
    expect(text).toMatch(new RegExp(`holdfast_collector_last_success_timestamp_seconds${labels} 1\\d{9}`));
    expect(text).toMatch(new RegExp(`holdfast_collector_errors_total${labels} [12]\\b`));
  });
});
