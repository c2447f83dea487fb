/** Metrics of one worker process: page, endpoint, the file that names it, and the looks that fill it. */
import type { Client } from '@temporalio/client';
import { addressText, type MetricsAddress } from '../engine/metrics-address.ts';
import { removeTarget, writeTarget, type ProcessName } from '../engine/metrics-targets.ts';
import { log } from '../observe/log.ts';
import { collectDisks, collectSystems, USUAL_PACE, type Collector, type Pace } from './collector.ts';
import { metricsNames, serveMetrics } from './endpoint.ts';
import { createPage, type MetricsPage } from './page.ts';
import { readSdkMetrics } from './sdk-metrics.ts';

export interface MetricsOptions {
  readonly name: ProcessName;
  readonly address: MetricsAddress;
  readonly version: string;
  /** Where the SDK's own exporter answers. */
  readonly sdkUrl?: string;
  /** With it, everything that stores and engine tell is collected; without, what only this host can tell. */
  readonly client?: Client;
  readonly pace?: Pace;
}

export interface RunningMetrics {
  readonly url: string;
  close(): Promise<void>;
}

/** Throws PortTaken when the address that was asked for can't be had. */
export async function startMetrics(options: MetricsOptions): Promise<RunningMetrics> {
  const { name, version, client, sdkUrl, pace = USUAL_PACE } = options;
  const page = createPage();
  const { role, host } = name;
  page.replace('build', [
    { name: 'holdfast_build_info', labels: { version, node: process.versions.node, role }, value: 1 },
  ]);
  const endpoint = await serveMetrics(options.address, {
    contentType: page.contentType,
    text: () => wholePage(page, sdkUrl),
    names: metricsNames(process.env),
  });
  const collector: Collector =
    client === undefined ? collectDisks(page, host, pace) : collectSystems(page, client, pace);
  const address = addressText(endpoint.address);
  writeTarget(name, address);
  const url = `http://${address}/metrics`;
  log('metrics').info({ url }, 'metrics are shown');
  const close = async (): Promise<void> => {
    removeTarget(name);
    await collector.stop();
    await endpoint.close();
  };
  return { url, close };
}

async function wholePage(page: MetricsPage, sdkUrl: string | undefined): Promise<string> {
  const sdk = sdkUrl === undefined ? undefined : await readSdkMetrics(sdkUrl);
  page.replace('sdk', [{ name: 'holdfast_sdk_metrics_up', labels: {}, value: Number(sdk !== undefined) }]);
  return `${await page.text()}${sdk ?? ''}`;
}
