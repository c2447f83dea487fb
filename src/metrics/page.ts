/** What one process shows: snapshots of samples, totals of ended runs, Node's own metrics; as Prometheus reads it. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { METRICS, type MetricDefinition, type Sample } from './definitions.ts';

export interface CountedSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface MetricsPage {
  readonly contentType: string;
  /**
   * Puts these samples in the place of those that the same source gave before, so that what is gone is not told any
   * more. None: the source is forgotten. A name that is not in the table throws.
   */
  replace(source: string, samples: readonly Sample[]): void;
  /** The counters of this name show what this gives, at the moment of the scrape. */
  countBy(name: string, totals: () => readonly CountedSample[]): void;
  /** A series of a histogram that is there with nothing in it, so that its first rise is seen. A repeat changes nothing. */
  begin(name: string, labels: Readonly<Record<string, string>>): void;
  observe(name: string, labels: Readonly<Record<string, string>>, value: number): void;
  /** Never asks anybody: what was last known is told. */
  text(): Promise<string>;
}

/** Sums of what is told by type beside them, under names that belong to counters. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

export function createPage(nowMs: () => number = Date.now): MetricsPage {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  const sources = new Map<string, readonly Sample[]>();
  const totals = new Map<string, () => readonly CountedSample[]>();
  const histograms = new Map<string, Histogram>();
  const begun = new Set<string>();
  for (const definition of METRICS) {
    if (definition.type === 'gauge') addGauge(registry, definition, sources, nowMs);
    if (definition.type === 'counter') addCounter(registry, definition, totals);
    if (definition.type === 'histogram') histograms.set(definition.name, addHistogram(registry, definition));
  }
  const histogram = (name: string): Histogram => {
    const found = histograms.get(name);
    if (found === undefined) throw new Error(`there is no histogram ${name}`);
    return found;
  };
  return {
    contentType: registry.contentType,
    replace(source, samples) {
      for (const { name } of samples) requireMetric(name, 'gauge');
      if (samples.length === 0) sources.delete(source);
      else sources.set(source, samples);
    },
    countBy(name, given) {
      requireMetric(name, 'counter');
      totals.set(name, given);
    },
    begin(name, labels) {
      const key = JSON.stringify([name, labels]);
      // Zeroed again it would lose what it has counted.
      if (!begun.has(key)) histogram(name).zero({ ...labels });
      begun.add(key);
    },
    observe(name, labels, value) {
      begun.add(JSON.stringify([name, labels]));
      histogram(name).observe({ ...labels }, value);
    },
    text: () => registry.metrics(),
  };
}

function requireMetric(name: string, type: MetricDefinition['type']): void {
  if (!METRICS.some((one) => one.name === name && one.type === type)) throw new Error(`there is no ${type} ${name}`);
}

function addGauge(
  registry: Registry,
  { name, help, labels }: MetricDefinition,
  sources: ReadonlyMap<string, readonly Sample[]>,
  nowMs: () => number,
): void {
  const gauge = new Gauge({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    collect() {
      gauge.reset();
      for (const samples of sources.values()) {
        for (const sample of samples) {
          if (sample.name === name) gauge.set({ ...sample.labels }, valueOf(sample, nowMs()));
        }
      }
      // Without labels an empty gauge would say 0 of something nobody has looked at.
      if (labels.length === 0 && !isKnown(name, sources)) gauge.remove();
    },
  });
}

function isKnown(name: string, sources: ReadonlyMap<string, readonly Sample[]>): boolean {
  return [...sources.values()].some((samples) => samples.some((sample) => sample.name === name));
}

function valueOf(sample: Sample, nowMs: number): number {
  return 'value' in sample ? sample.value : Math.max(0, nowMs / 1000 - sample.sinceSeconds);
}

function addCounter(
  registry: Registry,
  { name, help, labels }: MetricDefinition,
  totals: ReadonlyMap<string, () => readonly CountedSample[]>,
): void {
  const counter = new Counter({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    collect() {
      counter.reset();
      for (const { labels: own, value } of totals.get(name)?.() ?? []) counter.inc({ ...own }, value);
    },
  });
}

function addHistogram(registry: Registry, { name, help, labels, buckets = [] }: MetricDefinition): Histogram {
  return new Histogram({ name, help, labelNames: labels, registers: [registry], buckets: [...buckets] });
}
