// compare.js PACKAGE FOLDER [--table] - runs each model of the folder in ONNX Runtime, and compares every layer's
// output with what the library computed (write_models.c); then the model as it is, with all that ONNX Runtime
// does to make it fast, and its output alone. Prints what is too far, and a table by network and kind of layer.
'use strict';
const fs = require('fs');
const path = require('path');
const runtime = require(process.argv[2]);

const TOLERANCE = 1e-5; // of the largest value of an output

// -- Files --------------------------------------------------------------------------------------------------

function readTensors(file) {
  const bytes = fs.readFileSync(file);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, start));
  const tensors = new Map();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [begin, end] = entry.data_offsets;
    const copy = bytes.subarray(start + begin, start + end);
    tensors.set(name, {dims: entry.shape, data: new Float32Array(new Uint8Array(copy).buffer)});
  }
  return {tensors, metadata: header.__metadata__ || {}};
}

function varint(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push(value % 128 + 128);
  return Buffer.from([...bytes, value]);
}

function field(number, bytes) {
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

// Protobuf reads messages that follow each other as one: what follows the model adds outputs to its graph.
function withOutputs(model, names) {
  const outputs = names.map(name => field(12, field(1, Buffer.from(name, 'utf8'))));
  return Buffer.concat([model, field(7, Buffer.concat(outputs))]);
}

// -- Comparing ----------------------------------------------------------------------------------------------

function difference(expected, found) {
  if (expected.length !== found.length) return {absolute: Infinity, relative: Infinity};
  let absolute = 0, scale = 0;
  for (let i = 0; i < expected.length; i++) {
    const distance = Object.is(expected[i], found[i]) ? 0 : Math.abs(expected[i] - found[i]);
    absolute = distance <= absolute ? absolute : distance; // NaN stays
    scale = Math.max(scale, Math.abs(expected[i]));
  }
  return {absolute, relative: absolute / Math.max(scale, 1e-30)};
}

const byNetwork = new Map(), byKind = new Map();

function note(table, key, found) {
  const row = table.get(key) || {count: 0, absolute: 0, relative: 0};
  row.count++;
  row.absolute = Math.max(row.absolute, found.absolute);
  row.relative = Math.max(row.relative, found.relative);
  table.set(key, row);
}

async function run(model, inputs) {
  const session = await runtime.InferenceSession.create(model, {logSeverityLevel: 3, intraOpNumThreads: 1});
  const input = new runtime.Tensor('float32', inputs.data, inputs.dims);
  const results = await session.run({[session.inputNames[0]]: input});
  const last = session.outputNames[0];
  await session.release();
  return {results, last};
}

async function compareCase(folder, name) {
  const {tensors, metadata} = readTensors(path.join(folder, `${name}.safetensors`));
  const model = fs.readFileSync(path.join(folder, `${name}.onnx`));
  const layers = [...tensors.keys()].filter(layer => layer !== 'input');
  const problems = [];
  function compare(kind, layer, result) {
    const found = difference(tensors.get(layer).data, result.data);
    note(byNetwork, name, found);
    note(byKind, kind, found);
    if (!(found.relative <= TOLERANCE))
      problems.push(`${name}: ${layer} (${kind}) differs by ${found.absolute}, ${found.relative} of the largest`);
  }
  try {
    const plain = await run(model, tensors.get('input'));
    compare('(whole model)', plain.last, plain.results[plain.last]);
    const {results} = await run(withOutputs(model, layers.filter(layer => layer !== plain.last)), tensors.get('input'));
    for (const layer of layers) compare(metadata[`type ${layer}`], layer, results[layer]);
  } catch (error) {
    problems.push(`${name}: ${error.message}`);
  }
  return problems;
}

function print(table, title) {
  console.log(`${title.padEnd(34)}${'outputs'.padStart(8)}${'max |diff|'.padStart(12)}${'of largest'.padStart(12)}`);
  for (const [key, row] of [...table].sort())
    console.log(`${key.padEnd(34)}${String(row.count).padStart(8)}${row.absolute.toExponential(1).padStart(12)}` +
                `${row.relative.toExponential(1).padStart(12)}`);
}

async function main() {
  const folder = process.argv[3];
  const names = fs.readdirSync(folder).filter(file => file.endsWith('.onnx')).map(file => file.slice(0, -5)).sort();
  let failures = 0;
  for (const name of names) {
    const problems = await compareCase(folder, name);
    problems.forEach(problem => console.log(problem));
    failures += problems.length > 0;
  }
  const examples = new Map([...byNetwork].filter(([name]) => name.startsWith('examples-')));
  print(process.argv.includes('--table') ? byNetwork : examples, 'network');
  print(byKind, 'layer');
  const version = runtime.env.versions.node || runtime.env.versions.common;
  console.log(`ONNX Runtime ${version}: ${names.length} models, ${failures} with differences`);
  const good = names.length - failures;
  console.log(`${Math.floor(100 * good / Math.max(names.length, 1))}%: Checks: ${names.length}, Failures: ${failures}, Errors: 0`);
  process.exitCode = failures || !names.length ? 1 : 0;
}

main().catch(error => {
  console.error(error);
  process.exitCode = 1;
});
