// onnxruntime_networks.mjs PACKAGE MODEL BATCH THREADS DIMS - a model in ONNX Runtime, on random inputs.
//
// Each line of standard input is a number of seconds: for so long the model is run, and a line of JSON says how fast
// that was, as bench_networks --serve does. A line "check FILE" runs the model on numbers of a file (raw float32, one
// batch) and writes its outputs beside it, FILE.out. Started by compare_networks.py.
import fs from 'node:fs';
import readline from 'node:readline';
import {createRequire} from 'node:module';

const [packagePath, modelPath, batchText, threads, dimsText] = process.argv.slice(2);
const runtime = createRequire(import.meta.url)(packagePath);
const dims = [Number(batchText), ...dimsText.split('x').map(Number)];
const size = dims.reduce((product, d) => product * d, 1);

const session = await runtime.InferenceSession.create(modelPath, {
  logSeverityLevel: 3,
  intraOpNumThreads: Number(threads),
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
});
const inputs = new runtime.Tensor('float32', Float32Array.from({length: size}, () => Math.random()), dims);

async function run(tensor) {
  return session.run({[session.inputNames[0]]: tensor});
}

async function measure(seconds) {
  const times = [];
  const processor = process.cpuUsage();
  const started = process.hrtime.bigint();
  let last = started;
  do {
    await run(inputs);
    const at = process.hrtime.bigint();
    times.push(Number(at - last) * 1e-9);
    last = at;
  } while (Number(last - started) * 1e-9 < seconds);
  const spent = process.cpuUsage(processor);
  times.sort((a, b) => a - b);
  return {
    steps: times.length,
    seconds: Number(last - started) * 1e-9,
    processor: (spent.user + spent.system) * 1e-6,
    median: times[times.length >> 1],
    shortest: times[0],
    peak: Number(/VmHWM:\s*(\d+)/.exec(fs.readFileSync('/proc/self/status', 'latin1'))[1]) / 1024,
  };
}

async function check(file) {
  const values = new Float32Array(new Uint8Array(fs.readFileSync(file)).buffer);
  const results = await run(new runtime.Tensor('float32', values, dims));
  const found = results[session.outputNames[0]].data;
  fs.writeFileSync(`${file}.out`, Buffer.from(found.buffer, found.byteOffset, found.byteLength));
  return {};
}

for (let i = 0; i < 2; i++) await run(inputs);
for await (const line of readline.createInterface({input: process.stdin})) {
  const answer = line.startsWith('check ') ? await check(line.slice(6)) : await measure(Number(line));
  process.stdout.write(JSON.stringify(answer) + '\n');
}
