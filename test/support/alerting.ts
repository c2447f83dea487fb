/** A real Prometheus with the rules of monitoring/, a real Alertmanager, and whoever it tells. */
import { once } from 'node:events';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServerProcess } from './server-process.ts';

export const MONITORING = fileURLToPath(new URL('../../monitoring', import.meta.url));

/** One alert as Alertmanager hands it over. */
export interface ToldAlert {
  readonly status: 'firing' | 'resolved';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Alerting extends AsyncDisposable {
  /** Everything that was told so far, in order. */
  readonly told: readonly ToldAlert[];
  /** `data` of an answer of Prometheus' interface; throws with its error. */
  ask<T>(place: string, parameters?: Readonly<Record<string, string>>): Promise<T>;
}

/** The rules are those that are shipped, with no time to wait before they fire. */
export async function startAlerting(targetsDirectory: string): Promise<Alerting> {
  const told: ToldAlert[] = [];
  const receiver = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (part: string) => (text += part));
    request.on('end', () => {
      told.push(...(JSON.parse(text) as { alerts: ToldAlert[] }).alerts);
      response.end();
    });
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const { port } = receiver.address() as AddressInfo;
  const manager = await startAlertmanager(`http://127.0.0.1:${port}/`);
  const prometheus = await startPrometheus(targetsDirectory, manager.port);
  const ask = async <T>(place: string, parameters: Readonly<Record<string, string>> = {}): Promise<T> => {
    const query = new URLSearchParams(parameters).toString();
    const answer = await fetch(`http://127.0.0.1:${prometheus.port}/api/v1/${place}?${query}`);
    const body = (await answer.json()) as { status: string; error?: string; data: T };
    if (body.status !== 'success') throw new Error(`${place} ${query}: ${body.error ?? answer.status}`);
    return body.data;
  };
  return {
    told,
    ask,
    async [Symbol.asyncDispose]() {
      await prometheus.stop();
      await manager.stop();
      receiver.closeAllConnections();
      await new Promise((resolve) => receiver.close(resolve));
    },
  };
}

async function startAlertmanager(url: string) {
  const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-alertmanager-'));
  const file = path.join(directory, 'alertmanager.yml');
  const route = '{ receiver: people, group_by: [alertname], group_wait: 200ms, group_interval: 500ms }';
  await writeFile(
    file,
    `route: ${route}\nreceivers: [{ name: people, webhook_configs: [{ url: '${url}', send_resolved: true }] }]\n`,
  );
  return startServerProcess({
    program: 'prometheus-alertmanager',
    args: (port) => [
      `--config.file=${file}`,
      `--storage.path=${directory}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ],
    directory,
  });
}

async function startPrometheus(targetsDirectory: string, managerPort: number) {
  const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-prometheus-'));
  const rules = await readFile(path.join(MONITORING, 'rules', 'holdfast.yml'), 'utf8');
  await writeFile(path.join(directory, 'rules.yml'), rules.replaceAll(/^( +)for: .*$/gm, '$1for: 0s'));
  const file = path.join(directory, 'prometheus.yml');
  const lines = [
    'global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 500ms }',
    'rule_files: [rules.yml]',
    `alerting: { alertmanagers: [{ static_configs: [{ targets: ['127.0.0.1:${managerPort}'] }] }] }`,
    'scrape_configs:',
    '  - job_name: holdfast',
    `    file_sd_configs: [{ files: ['${targetsDirectory}/holdfast-*.json'], refresh_interval: 1s }]`,
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  return startServerProcess({
    program: 'prometheus',
    args: (port) => [
      `--config.file=${file}`,
      `--storage.tsdb.path=${path.join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    directory,
  });
}
