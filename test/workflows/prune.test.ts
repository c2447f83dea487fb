/** A prune that waits for a person: what it would remove is shown, and the person's word finds its way to it. */
import { expect, test } from 'vitest';
import { waitingOperation } from '../../src/status/running.ts';
import { connectEngine } from '../../src/engine/connect.ts';
import { workflowIds, type PruneResult } from '../../src/workflows/contract.ts';
import { waitingFor } from './play.ts';
import { playOn } from './server.ts';
import { eventually, uniqueName } from './stage.ts';
import { PRUNE_DIGEST } from './world-prune.ts';

const ASKS = ['6 of 8 backups of daily would go at once'];

const play = playOn();

test('too much would go from two stores: each shows its plan, an answer has to name one, and a no removes nothing', async () => {
  await play.inWorld({ pruneAsks: ASKS }, async (world) => {
    const system = uniqueName('sys');
    const { address } = play.env;
    const target = { connectionOptions: { address }, namespace: 'default', address, from: 'TEMPORAL_*' } as const;
    await using engine = await connectEngine(target);
    const start = (store: string) => play.start('prune', { system, store }, workflowIds.prune(system, store));
    const found = () => waitingOperation(engine, system, PRUNE_DIGEST).catch((error: unknown) => String(error));

    const nas = await start('main');
    await waitingFor(nas, 'approval');
    expect(await nas.query('plan')).toMatchObject({ digest: PRUNE_DIGEST, removesCount: 1, asks: ASKS });
    await eventually('its digest finds it', async () => (await found()) === nas.workflowId || undefined);

    const away = await start('away');
    await waitingFor(away, 'approval');
    const both = await eventually('both are found', async () => {
      const said = await found();
      return said.includes('several operations wait') ? said : undefined;
    });
    expect(both).toContain(nas.workflowId);
    expect(both).toContain(away.workflowId);

    for (const one of [nas, away]) {
      await one.executeUpdate('reject', { args: [{ by: 'ana', why: 'too many' }] });
      expect((await one.result()) as PruneResult).toMatchObject({ outcome: 'rejected', why: 'too many' });
    }
    expect(world.count('condemnPruned')).toBe(0);
  });
});
