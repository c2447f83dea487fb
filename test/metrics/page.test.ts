import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseMetricsAddress } from '../../src/engine/metrics-address.ts';
import { METRICS, RUN_STATUSES } from '../../src/metrics/definitions.ts';
import { runLabels, runStatus } from '../../src/metrics/ended-runs.ts';
import { metricsNames, serveMetrics } from '../../src/metrics/endpoint.ts';
import { createPage } from '../../src/metrics/page.ts';
import { OVERLAP_MS, RunTotals } from '../../src/metrics/run-totals.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'holdfast-metrics-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

function own(text: string, name: string): string[] {
  return text.split('\n').filter((line) => line.startsWith(name));
}

describe('the page', () => {
  it('[T10] the four names of the guides: there, with their types', () => {
    const types = METRICS.slice(0, 4).map(({ name, type, labels }) => [name, type, labels]);
    expect(types).toEqual([
      ['backup_operations_total', 'counter', ['system', 'operation', 'plan', 'status']],
      ['backup_duration_seconds', 'histogram', ['system', 'operation', 'plan']],
      ['backup_size_bytes', 'gauge', ['system', 'plan', 'backup_type']],
      ['backup_last_success_timestamp', 'gauge', ['system', 'operation', 'plan']],
    ]);
  });

  it('what nobody has looked at: no value, not even 0', async () => {
    const text = await createPage().text();
    expect(text).toContain('# TYPE holdfast_engine_up gauge');
    expect(text.split('\n').filter((line) => /^(holdfast|backup)_/.test(line))).toEqual([]);
  });

  it('a source that looks again: what is gone is told no more, what another source said stays', async () => {
    const page = createPage();
    const store = (name: string) => ({
      name: 'holdfast_store_readable',
      labels: { system: 'shop', store: name },
      value: 1,
    });
    page.replace('a', [store('one'), store('two')]);
    page.replace('b', [store('three')]);
    page.replace('a', [store('two')]);
    expect(own(await page.text(), 'holdfast_store_readable')).toEqual([
      'holdfast_store_readable{system="shop",store="two"} 1',
      'holdfast_store_readable{system="shop",store="three"} 1',
    ]);
    page.replace('b', []);
    expect(own(await page.text(), 'holdfast_store_readable')).toHaveLength(1);
  });

  it('an age: grows between two scrapes without anybody looking', async () => {
    let nowMs = 1_000_000;
    const page = createPage(() => nowMs);
    page.replace('a', [
      { name: 'holdfast_proved_age_seconds', labels: { system: 'shop', plan: 'daily' }, sinceSeconds: 940 },
    ]);
    const age = async () => own(await page.text(), 'holdfast_proved_age_seconds')[0]?.split(' ')[1];
    expect(await age()).toBe('60');
    nowMs += 5000;
    expect(await age()).toBe('65');
  });

  it('a series that is begun once more, as at each look at the register: what it has counted stays', async () => {
    const page = createPage();
    const labels = { system: 'shop', operation: 'backup', plan: 'daily' };
    const count = async () => own(await page.text(), 'backup_duration_seconds_count').map((line) => line.split(' ')[1]);
    page.begin('backup_duration_seconds', labels);
    expect(await count()).toEqual(['0']);
    page.observe('backup_duration_seconds', labels, 30);
    page.begin('backup_duration_seconds', { ...labels });
    expect(await count()).toEqual(['1']);
  });

  it('a name that is not in the table: refused', () => {
    const page = createPage();
    expect(() => page.replace('a', [{ name: 'holdfast_other', labels: {}, value: 1 }])).toThrow(/no gauge/);
    expect(() => page.countBy('holdfast_engine_up', () => [])).toThrow(/no counter/);
  });
});

describe('the endpoint', () => {
  it('only reads, only /metrics; a port that is taken: said', async () => {
    const shown = { contentType: 'text/plain; version=0.0.4', text: () => Promise.resolve('x 1\n') };
    const endpoint = await serveMetrics({ host: '127.0.0.1', port: 0 }, shown);
    try {
      const url = `http://127.0.0.1:${endpoint.address.port}`;
      const got = await fetch(`${url}/metrics`);
      expect([got.status, got.headers.get('content-type'), await got.text()]).toEqual([
        200,
        shown.contentType,
        'x 1\n',
      ]);
      expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(405);
      expect((await fetch(`${url}/other`)).status).toBe(404);
      await expect(serveMetrics(endpoint.address, shown)).rejects.toMatchObject({ code: 'PortTaken' });
    } finally {
      await endpoint.close();
    }
  });

  it('a name that another site has pointed here: nothing is told; the names that are asked for are answered', async () => {
    const text = () => Promise.resolve('x 1\n');
    const endpoint = await serveMetrics(
      { host: '127.0.0.1', port: 0 },
      {
        contentType: 'text/plain',
        text,
        names: metricsNames({ HOLDFAST_METRICS_NAMES: 'Backups.example.net, other' }),
      },
    );
    const { port } = endpoint.address;
    const askedAs = (host: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const options = { host: '127.0.0.1', port, path: '/metrics', headers: { host } };
        get(options, (response) => resolve(response.resume().statusCode)).once('error', reject);
      });
    try {
      const names = [`localhost:${port}`, `127.0.0.1:${port}`, 'backups.example.net:80', 'other', hostname()];
      expect(await Promise.all(names.map(askedAs))).toEqual([200, 200, 200, 200, 200]);
      expect(await Promise.all(['evil.example', 'backups.example.net.evil.example', '10.1.2.3'].map(askedAs))).toEqual([
        421, 421, 421,
      ]);
    } finally {
      await endpoint.close();
    }
  });

  it('addresses as people write them', () => {
    expect(parseMetricsAddress(undefined)).toEqual({ host: '127.0.0.1', port: 0 });
    expect(parseMetricsAddress('off')).toBeUndefined();
    expect(parseMetricsAddress('9464')).toEqual({ host: '127.0.0.1', port: 9464 });
    expect(parseMetricsAddress('0.0.0.0:9464')).toEqual({ host: '0.0.0.0', port: 9464 });
    expect(parseMetricsAddress('[::1]:1')).toEqual({ host: '::1', port: 1 });
    for (const wrong of ['on', '70000', 'a:b', ':1', '1:2:3']) {
      expect(() => parseMetricsAddress(wrong)).toThrow(expect.objectContaining({ code: 'BadInput' }) as Error);
    }
  });
});

describe('ends of operations', () => {
  const completed = (type: string, result: unknown) => runStatus({ type, status: 'COMPLETED', result });

  it('how a run ended: by its status, and of a completed one by what it says', () => {
    expect(completed('backup', { outcome: 'done', verified: { level: 'content', ok: true } })).toBe('success');
    expect(completed('backup', { outcome: 'done', verified: { level: 'content', ok: false } })).toBe('failure');
    expect(completed('backup', { outcome: 'skipped', why: 'it runs already' })).toBe('skipped');
    expect(completed('verify', { ok: false })).toBe('failure');
    expect(completed('copy', { verified: [{ backup: 'a', ok: true }] })).toBe('success');
    expect(completed('copy', { verified: [{ backup: 'a', ok: false }] })).toBe('failure');
    expect(completed('restore', { outcome: 'rolled-back' })).toBe('failure');
    expect(completed('restore', { outcome: 'expired' })).toBe('rejected');
    expect(completed('prune', { outcome: 'swept' })).toBe('success');
    expect(completed('prune', undefined)).toBe('success');
    const ends = ['FAILED', 'TIMED_OUT', 'CANCELLED', 'TERMINATED', 'CONTINUED_AS_NEW', 'RUNNING'];
    expect(ends.map((status) => runStatus({ type: 'backup', status }))).toEqual([
      'failure',
      'failure',
      'cancelled',
      'terminated',
      undefined,
      undefined,
    ]);
    expect(runStatus({ type: 'systemLock', status: 'FAILED' })).toBeUndefined();
    // The backup that it started has failed, and is counted.
    expect(runStatus({ type: 'scheduled', status: 'FAILED' })).toBeUndefined();
    expect(runStatus({ type: 'anything', status: 'FAILED' })).toBeUndefined();
    expect(RUN_STATUSES).toHaveLength(6);
  });

  it('whose run it was: names of system files alone make series', () => {
    const systems = [{ system: 'shop', plans: ['daily'] }];
    const of = (workflowId: string, type: string) => runLabels({ workflowId, type }, systems);
    expect(of('shop/backup/daily', 'backup')).toEqual({ system: 'shop', operation: 'backup', plan: 'daily' });
    expect(of('shop/backup/daily-2026-11-21T02:00:00Z', 'backup').plan).toBe('daily');
    expect(of('shop/backup/other', 'backup').plan).toBe('');
    expect(of('shop/verify/0123456789ab', 'verify')).toEqual({ system: 'shop', operation: 'verify', plan: '' });
    expect(of('my-own-id', 'backup')).toEqual({ system: '', operation: 'backup', plan: '' });
  });

  const LABELS = { system: 'shop', operation: 'backup', plan: 'daily', status: 'failure' } as const;

  it('a run that is seen again, also by the next process: counted once', () => {
    const file = path.join(directory, 'again.json');
    const first = new RunTotals(file, 1_000_000_000);
    expect(first.fromMs).toBe(1_000_000_000 - OVERLAP_MS);
    expect([first.count('run-1', 999_999_000, LABELS), first.count('run-1', 999_999_000, LABELS)]).toEqual([
      true,
      false,
    ]);
    first.keep(1_000_005_000);
    const second = new RunTotals(file, 2_000_000_000);
    // What ended while no process ran is still to be counted.
    expect(second.fromMs).toBe(1_000_005_000 - OVERLAP_MS);
    expect(second.count('run-1', 999_999_000, LABELS)).toBe(false);
    expect(second.count('run-2', 1_000_006_000, LABELS)).toBe(true);
    expect(second.all()).toEqual([{ labels: LABELS, value: 2 }]);
  });

  it('ids that are too old to be listed again: forgotten, their counts kept', () => {
    const file = path.join(directory, 'old.json');
    const totals = new RunTotals(file, 1_000_000_000);
    totals.count('run-1', 1_000_000_000, LABELS);
    totals.keep(1_000_000_000 + OVERLAP_MS + 1);
    expect(totals.has('run-1')).toBe(false);
    expect(new RunTotals(file, 0).all()).toEqual([{ labels: LABELS, value: 1 }]);
  });

  it('a file that is torn: counting begins again', () => {
    const file = path.join(directory, 'torn.json');
    writeFileSync(file, '{"version":1,"tot');
    const totals = new RunTotals(file, 1_000_000_000);
    totals.begin(LABELS);
    expect(totals.all()).toEqual([{ labels: LABELS, value: 0 }]);
  });
});
