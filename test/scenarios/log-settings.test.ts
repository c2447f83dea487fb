/** A system file that is changed while `up` runs: its logs are received, otherwise received, or no more. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { LIMIT_MS, PostgresSite } from './postgres-site.ts';

const WAIT = { timeout: LIMIT_MS, interval: 200 };

let site: PostgresSite;

beforeAll(async () => {
  site = await PostgresSite.open('shop', (server) => ({
    cluster: { kind: 'postgres', method: 'base', server },
  }));
}, LIMIT_MS);
afterAll(async () => {
  await site.close();
});

async function change(from: string, to: string): Promise<void> {
  const file = join(site.directory, 'shop.yaml');
  const text = await readFile(file, 'utf8');
  expect(text).toContain(from);
  await writeFile(file, text.replace(from, to));
}

const slots = async (): Promise<string> =>
  (await site.server.sql('SELECT slot_name, active FROM pg_replication_slots'))
    .map(({ slot_name, active }) => `${String(slot_name)} ${String(active)}`)
    .join(', ');
const told = async (...args: string[]): Promise<string> => {
  const { stdout, stderr } = await site.holdfast.run(...args);
  return stdout + stderr;
};

describe('[T1] a log that comes into the system file and goes', () => {
  it('it is received within seconds, by another slot when that is changed, and the slots left are told', async () => {
    await change('method: base', 'method: base\n    wal: { store: disk, every: 1s }');
    await vi.waitFor(async () => expect(await slots()).toBe('holdfast_cluster true'), WAIT);

    await change('every: 1s', 'every: 1s, slot: another');
    await vi.waitFor(async () => expect(await slots()).toMatch(/another true/), WAIT);
    expect(await slots()).toMatch(/holdfast_cluster false/);
    const drop = "SELECT pg_drop_replication_slot('holdfast_cluster');";
    expect(await told('doctor', 'shop')).toContain(drop);
    expect(await told('status', 'shop')).toContain(drop);

    await site.server.sql(drop);
    await change('slot: another', 'slot: wrong-name');
    await change('wrong-name', 'holdfast_cluster');
    await vi.waitFor(async () => expect(await slots()).toMatch(/holdfast_cluster true/), WAIT);

    await change('\n    wal: { store: disk, every: 1s, slot: holdfast_cluster }', '');
    await vi.waitFor(async () => expect(await slots()).toMatch(/holdfast_cluster false/), WAIT);
    expect(await told('status', 'shop')).toContain(drop);
  });
});
