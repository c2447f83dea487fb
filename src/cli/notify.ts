import type { Command } from 'commander';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

const ENGINE_LIMIT_MS = 10_000;

export function defineNotify(program: Command): void {
  const notify = program.command('notify').summary('channels of messages').description('Channels of messages.');
  addCommand(notify, 'test <system> [channel]', {
    summary: 'send a real test message',
    description:
      'Sends a test message to one channel of the system file, or to each of them, from this machine, and says what became\n' +
      'of it. It needs no engine; where one runs, the incident of a channel that took the message is over. Exit 1 when one\n' +
      'of them did not take it.',
    examples: ['notify test m2m-connector', 'notify test m2m-connector team-lead'],
  }).action((system: string, channel: string | undefined, options: CommonOptions) =>
    perform(options, (shell) => test(shell, system, channel)),
  );
}

async function test(shell: Shell, name: string, wanted: string | undefined): Promise<ExitCode> {
  const [
    { loadSystem },
    { channelOf, deliver },
    { testNotice },
    { whoAmI },
    { tell },
    { randomUUID },
    { FAILURES, HoldfastError },
  ] = await Promise.all([
    import('../system/load.ts'),
    import('../notify/deliver.ts'),
    import('../policy/notices.ts'),
    import('./names.ts'),
    import('../observe/told.ts'),
    import('node:crypto'),
    import('../failures.ts'),
  ]);
  const system = await loadSystem(name);
  const channels = wanted === undefined ? system.notify : [channelOf(system, wanted)];
  if (channels.length === 0) {
    throw new HoldfastError('BadInput', `${name} has no channel to try`, {
      hint: 'Describe one in the section `notify` of the system file.',
    });
  }
  const notice = testNotice(name, { id: `test-${randomUUID()}`, atMs: Date.now(), by: await whoAmI() });
  const { signal } = new AbortController();
  const results = await Promise.all(
    channels.map(async (channel) => {
      const { name: to, kind } = channel;
      try {
        const { refused } = await deliver(channel, notice, signal);
        if (refused === undefined) return { channel: to, kind, ok: true as const };
        const { hint } = FAILURES.ChannelRefused;
        return { channel: to, kind, ok: false as const, code: 'ChannelRefused' as const, message: refused, hint };
      } catch (error) {
        const { code, message, hint } = tell(error);
        return { channel: to, kind, ok: false as const, code, message, hint };
      }
    }),
  );
  const taken = results.filter(({ ok }) => ok).map(({ channel }) => channel);
  const { healed, untold } = await tellOver(name, taken);
  const ok = taken.length === results.length;
  const more = { healed, ...(untold === undefined ? {} : { untold }) };
  shell.result({ ok, id: notice.id, channels: results, ...more }, (colours) =>
    [
      ...results.map((one) =>
        one.ok
          ? `${colours.green('taken')}  ${one.channel} (${one.kind})`
          : `${colours.red('failed')} ${one.channel} (${one.kind}): ${one.message} [${one.code}]\n  ${colours.cyan('try')} ${one.hint}`,
      ),
      ...healed.map((id) => `${colours.green('over')}   the incident ${id}`),
      ...(untold === undefined ? [] : [`${colours.yellow('untold')} incidents of these channels stay open: ${untold}`]),
    ].join('\n'),
  );
  return ok ? 0 : 1;
}

/** Ids of the incidents of these channels that were open. Without an engine there are none. */
async function tellOver(
  system: string,
  channels: readonly string[],
): Promise<{ readonly healed: readonly string[]; readonly untold?: string }> {
  const { isEngineKnown } = await import('../engine/ephemeral.ts');
  if (channels.length === 0 || !isEngineKnown()) return { healed: [] };
  const [{ connectEngine }, { tellHealed }, { workflowIds }, { tell }] = await Promise.all([
    import('../engine/connect.ts'),
    import('../engine/tell-healed.ts'),
    import('../workflows/contract.ts'),
    import('../observe/told.ts'),
  ]);
  const healed: string[] = [];
  try {
    await using engine = await connectEngine();
    await engine.client.withDeadline(Date.now() + ENGINE_LIMIT_MS, async () => {
      for (const channel of channels) {
        const isOver = await tellHealed(engine.client, workflowIds.incident(system, 'notify', channel));
        if (isOver) healed.push(`notify/${channel}`);
      }
    });
    return { healed };
  } catch (error) {
    return { healed, untold: tell(error).message };
  }
}
