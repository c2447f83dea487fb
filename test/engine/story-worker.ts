/** A worker process for tests that kill it: the first attempt of its step never ends, the second tells its number. */
import { Context } from '@temporalio/activity';
import { NativeConnection, Worker } from '@temporalio/worker';

const [address = '', workflowsPath = ''] = process.argv.slice(2);
const worker = await Worker.create({
  connection: await NativeConnection.connect({ address }),
  taskQueue: 'story',
  workflowsPath,
  stickyQueueScheduleToStartTimeout: '1 second',
  activities: {
    async step(): Promise<number> {
      const { attempt } = Context.current().info;
      if (attempt === 1) await new Promise(() => undefined);
      return attempt;
    },
  },
});
await worker.run();
