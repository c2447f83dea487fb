/** Run as a program: opens a scratch server for this state directory, says where it lies, and holds it. */
import { withScratchServer } from '../../src/postgres/scratch-server.ts';

const [, , toolsDirectory = '', stateDirectory = ''] = process.argv;
const { signal } = new AbortController();
await withScratchServer({ toolsDirectory, stateDirectory, signal }, async ({ directory }) => {
  console.log(directory);
  await new Promise((resolve) => setTimeout(resolve, 600_000));
});
