/**
 * The samples' one image, made without a registry: the Node binary with the shared libraries that it needs, and the
 * sample programs. `docker import` of a tar; the tag is the hash of the content, so a second call finds it.
 */
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, copyFile, cp, mkdir, mkdtemp, readFile, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type Docker from 'dockerode';
import { CONTENT_LABEL, IMAGE_REPOSITORY, SAMPLE_LABEL } from './labels.ts';

const run = promisify(execFile);
const SAMPLE_ROOT = dirname(import.meta.dirname);
const PROGRAMS = ['ledger', 'm2m', 'stack'];

async function programFiles(): Promise<string[]> {
  const lists = await Promise.all(
    PROGRAMS.map(async (directory) => {
      const entries = await readdir(join(SAMPLE_ROOT, directory));
      return entries.filter((name) => name.endsWith('.ts')).map((name) => join(directory, name));
    }),
  );
  return lists.flat().sort();
}

async function nodeBinary(): Promise<string> {
  return realpath(process.execPath);
}

async function contentHash(node: string, files: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(`${process.version} ${process.arch} layout 1\n`);
  hash.update((await libraries(node)).join('\n'));
  for (const file of files) hash.update(`${file}\n`).update(await readFile(join(SAMPLE_ROOT, file)));
  return hash.digest('hex');
}

/** Absolute paths of the shared objects and the loader, as `ldd` resolves them. */
async function libraries(binary: string): Promise<string[]> {
  const { stdout } = await run('ldd', [binary]);
  return [...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].flatMap((match) => match[1] ?? []);
}

async function makeTree(root: string, node: string, files: readonly string[]): Promise<void> {
  for (const directory of ['bin', 'etc', 'tmp', 'data', 'wallet', 'app']) await mkdir(join(root, directory));
  await chmod(join(root, 'tmp'), 0o1777);
  await copyFile(node, join(root, 'bin/node'));
  for (const library of await libraries(node)) {
    await mkdir(join(root, dirname(library)), { recursive: true });
    await copyFile(library, join(root, library));
  }
  for (const file of files) await cp(join(SAMPLE_ROOT, file), join(root, 'app', file), { recursive: true });
  await writeFile(join(root, 'app/package.json'), '{"type":"module"}\n');
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/:/bin/node\n');
  await writeFile(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');
}

async function importTree(docker: Docker, root: string, tag: string, content: string): Promise<void> {
  const tar = spawn('tar', ['--create', '--numeric-owner', '--owner=0', '--group=0', '--directory', root, '.'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<number | null>((resolve, reject) => tar.once('error', reject).once('exit', resolve));
  const changes = [
    'ENTRYPOINT ["/bin/node"]',
    'ENV NODE_NO_WARNINGS=1',
    'ENV UV_USE_IO_URING=0',
    `LABEL ${SAMPLE_LABEL}=image`,
    `LABEL ${CONTENT_LABEL}=${content}`,
  ];
  // One string: the engine joins the instructions by newlines, and the client would write a list as JSON.
  const options = { repo: IMAGE_REPOSITORY, tag, changes: changes.join('\n') };
  const progress = await docker.importImage(tar.stdout, options);
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(progress, (error) => (error === null ? resolve() : reject(error)));
  });
  if ((await exited) !== 0) throw new Error('tar failed while the sample image was made');
}

/**
 * The image's name; made when there is none of this content. Its entry point is Node, its programs lie under /app:
 * `/app/ledger/server.ts`, `/app/ledger/check.ts FILE`, `/app/m2m/connector.ts`.
 */
export async function ensureSampleImage(
  docker: Docker,
  say: (text: string) => void = () => undefined,
): Promise<string> {
  const node = await nodeBinary();
  const files = await programFiles();
  const content = await contentHash(node, files);
  const tag = content.slice(0, 12);
  const name = `${IMAGE_REPOSITORY}:${tag}`;
  const found = await docker.listImages({ filters: { reference: [name], label: [`${CONTENT_LABEL}=${content}`] } });
  if (found.length > 0) return name;
  say(`making the image ${name} of the sample stack (once)`);
  const root = await mkdtemp(join(tmpdir(), 'holdfast-image-'));
  try {
    await chmod(root, 0o755);
    await makeTree(root, node, files);
    await importTree(docker, root, tag, content);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
  return name;
}
