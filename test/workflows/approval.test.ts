/** Who asked, who approved, when, under which rule; and what of it the audit log is given. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { WorkflowHandle } from '@temporalio/client';
import { describe, expect, test } from 'vitest';
import { findTemporal } from '../../src/engine/tools.ts';
import type { RestoreResult, RowsResult } from '../../src/workflows/contract.ts';
import { failureOf, refusalOf, waitingFor } from './play.ts';
import { playOn } from './server.ts';
import { eventually, uniqueName } from './stage.ts';
import { failWith, type World } from './world.ts';

const play = playOn();
const DIGEST = 'a'.repeat(64);
const run = promisify(execFile);

/** Waits for as many of this operation as there should be: each is written by a run of its own. */
async function told(world: World, { workflowId }: WorkflowHandle, count: number): Promise<Record<string, unknown>[]> {
  const of = () => world.audit.told(workflowId);
  await eventually(`${count} events`, () => of().length >= count || undefined);
  return of().toSorted((a, b) => String(a['what']).localeCompare(String(b['what'])));
}

async function temporal(...args: readonly string[]): Promise<string> {
  const binary = await findTemporal();
  if (binary === undefined) throw new Error('No Temporal binary: run `npm run setup`.');
  const env = { ...process.env, TEMPORAL_ADDRESS: play.env.address, TEMPORAL_NAMESPACE: 'default' };
  const { stdout } = await run(binary.path, [...args], { env });
  return stdout;
}

describe('approvals and the audit log', () => {
  test('asked, approved, done: three events with the digest, the asker, and what the engine knows of who approved', async () => {
    await play.inWorld({}, async (world) => {
      const handle = await play.start('restore', { system: uniqueName('sys') });
      await waitingFor(handle, 'approval');
      await handle.executeUpdate('approve', { args: [{ digest: DIGEST, by: 'ben' }] });
      await handle.result();
      expect(await told(world, handle, 3)).toEqual([
        { what: 'approved', by: 'ben' },
        { what: 'asked', by: 'ana@desk' },
        { what: 'ended', by: 'ana@desk', outcome: 'restored' },
      ]);
      const approved = world.audit.events.find(
        ({ what, workflowId }) => what === 'approved' && workflowId === handle.workflowId,
      );
      expect(approved).toMatchObject({
        identity: 'holdfast:ben@desk',
        from: 'desk',
        digest: DIGEST,
        operation: 'restore',
      });
    });
  });

  test('no store takes the log, nor does any host: the restore goes on, and the events are written when one does', async () => {
    let down = true;
    const script = {
      recordAudit: () => {
        if (down) failWith('StoreDenied');
      },
    };
    await play.inWorld({ script }, async (world) => {
      const handle = await play.start('restore', { system: uniqueName('sys'), approve: DIGEST, approvedBy: 'ben' });
      expect(((await handle.result()) as RestoreResult).outcome).toBe('restored');
      expect(world.audit.told(handle.workflowId)).toEqual([]);
      down = false;
      expect(await told(world, handle, 3)).toHaveLength(3);
    });
  });

  test('four eyes: who asked is refused, approving beforehand counts for nothing, somebody else lets it go on', async () => {
    await play.inWorld({ fourEyes: true }, async (world) => {
      const input = { system: uniqueName('sys'), approve: DIGEST, approvedBy: 'ben' };
      const handle = await play.start('restore', input);
      await waitingFor(handle, 'approval');
      const approve = (by: string) => handle.executeUpdate('approve', { args: [{ digest: DIGEST, by }] });
      expect(await refusalOf(approve('Ana@elsewhere'))).toBe('SecondPersonNeeded');
      await handle.signal('approveSignal', { digest: DIGEST, by: 'ana' });
      await waitingFor(handle, 'approval');
      expect(world.count('stopForRestore')).toBe(0);
      await approve('ben');
      expect(((await handle.result()) as RestoreResult).outcome).toBe('restored');
    });
  });

  test('four eyes, and nobody knows who asked: one is not enough, two are, and both are named', async () => {
    await play.inWorld({ fourEyes: true }, async (world) => {
      world.audit.asker = undefined;
      const handle = await play.start('restore', { system: uniqueName('sys') });
      await waitingFor(handle, 'approval');
      await handle.executeUpdate('approve', { args: [{ digest: DIGEST, by: 'ben' }] });
      await waitingFor(handle, "a second person's approval");
      await handle.executeUpdate('approve', { args: [{ digest: DIGEST, by: 'ben' }] });
      await waitingFor(handle, "a second person's approval");
      await handle.executeUpdate('approve', { args: [{ digest: DIGEST, by: 'eve' }] });
      await handle.result();
      expect(await told(world, handle, 3)).toContainEqual({ what: 'approved', by: 'ben and eve' });
    });
  });

  test('approved in one run: the next run under the same id asks again, also for the same plan', async () => {
    await play.inWorld({}, async (world) => {
      const system = uniqueName('sys');
      const first = await play.start('restore', { system }, `${system}/restore`);
      await waitingFor(first, 'approval');
      await first.executeUpdate('approve', { args: [{ digest: DIGEST, by: 'ben' }] });
      await first.result();
      const swaps = world.count('swapIn');
      const second = await play.start('restore', { system }, `${system}/restore`);
      await waitingFor(second, 'approval');
      await second.executeUpdate('reject', { args: [{ by: 'ben' }] });
      expect(((await second.result()) as RestoreResult).outcome).toBe('rejected');
      expect(world.count('swapIn')).toBe(swaps);
    });
  });

  test('rejected, expired, withdrawn, rolled back: each is told as what it was', async () => {
    await play.inWorld({ approvalLimitSeconds: 1 }, async (world) => {
      const rows = { system: uniqueName('sys'), component: 'config', table: 'deposits' };
      const handle = await play.start('restoreRows', rows);
      expect(((await handle.result()) as RowsResult).outcome).toBe('expired');
      expect(await told(world, handle, 2)).toEqual([{ what: 'asked', by: 'ana@desk' }, { what: 'expired' }]);
    });
    await play.inWorld({}, async (world) => {
      const handle = await play.start('restore', { system: uniqueName('sys') });
      await waitingFor(handle, 'approval');
      await handle.cancel();
      await handle.result().catch(() => undefined);
      expect(await told(world, handle, 2)).toEqual([{ what: 'asked', by: 'ana@desk' }, { what: 'withdrawn' }]);
    });
  });

  test("the plain `temporal` command starts, sees the plan and approves; another plan's digest is refused", async () => {
    await play.inWorld({}, async (world) => {
      const system = uniqueName('sys');
      const id = `${system}/restore`;
      const input = JSON.stringify({ system });
      const of = ['--workflow-id', id];
      await temporal('workflow', 'start', '--task-queue', 'holdfast', '--type', 'restore', ...of, '--input', input);
      const handle = play.env.client.workflow.getHandle(id);
      await waitingFor(handle, 'approval');
      expect(await temporal('workflow', 'query', ...of, '--type', 'plan')).toContain(DIGEST);
      const approve = (digest: string) => {
        const approval = JSON.stringify({ digest, by: 'ben' });
        return temporal('workflow', 'update', 'execute', ...of, '--name', 'approve', '--input', approval);
      };
      await expect(approve('c'.repeat(64))).rejects.toThrow('PlanChanged');
      expect(await approve(DIGEST)).toContain('accepted');
      expect(((await handle.result()) as RestoreResult).outcome).toBe('restored');
      expect(await told(world, handle, 3)).toContainEqual({ what: 'approved', by: 'ben' });
    });
  });

  test.each([
    ['rejects by update', ['update', 'execute', '--name', 'reject'], 'rejected'],
    ['rejects by signal', ['signal', '--name', 'rejectSignal'], 'rejected'],
    ['approves by signal', ['signal', '--name', 'approveSignal'], 'approved'],
  ] as const)('the plain `temporal` command %s: it ends so, with who and why', async (_way, words, what) => {
    await play.inWorld({}, async (world) => {
      const handle = await play.start('restore', { system: uniqueName('sys') });
      await waitingFor(handle, 'approval');
      const answer = { by: 'ben', ...(what === 'approved' ? { digest: DIGEST } : { why: 'wrong backup' }) };
      await temporal('workflow', ...words, '--workflow-id', handle.workflowId, '--input', JSON.stringify(answer));
      expect(await handle.result()).toMatchObject(
        what === 'approved'
          ? { outcome: 'restored' }
          : { outcome: 'rejected', why: 'ben rejected the plan: wrong backup' },
      );
      expect(await told(world, handle, 2)).toContainEqual({ what, by: 'ben' });
    });
  });

  test('an event by hand, also with the names of a run that there was: refused, and nothing is written', async () => {
    await play.inWorld({}, async (world) => {
      const handle = await play.start('restore', { system: uniqueName('sys'), approve: DIGEST, approvedBy: 'ben' });
      await handle.result();
      await told(world, handle, 3);
      const [genuine] = world.audit.events.filter(({ workflowId }) => workflowId === handle.workflowId);
      const forged = { system: uniqueName('sys'), ...genuine, id: 'forged', by: 'the owner' };
      const refused = await failureOf(play.run('audit', forged));
      expect(refused.type).toBe('Untrusted');
      expect(refused.message).toContain(handle.workflowId);
      expect(world.audit.events.map(({ id }) => id)).not.toContain('forged');
    });
  });
});
