// files.js - what a run wrote: .npy files, MNIST's images, history and summary, read without the library.
'use strict';
const fs = require('fs');
const path = require('path');
const zlib = require('zlib');

const ARRAYS = {'<f4': Float32Array, '<f8': Float64Array, '<i8': BigInt64Array, '<i4': Int32Array, '|u1': Uint8Array};

// {shape, data}; integers of 64 bits become numbers.
function readNpy(file) {
  const bytes = fs.readFileSync(file);
  if (bytes.toString('latin1', 1, 6) !== 'NUMPY') throw new Error(`${file} is no .npy file`);
  const long = bytes[6] > 1,
    begin = (long ? 12 : 10) + (long ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8));
  const header = bytes.toString('latin1', long ? 12 : 10, begin);
  const type = /'descr': *'([^']+)'/.exec(header)[1],
    order = /'fortran_order': *(True|False)/.exec(header)[1];
  if (!ARRAYS[type] || order !== 'False') throw new Error(`${file}: ${header}`);
  const shape = /'shape': *\(([^)]*)\)/
    .exec(header)[1]
    .split(',')
    .filter(part => part.trim())
    .map(Number);
  const data = new ARRAYS[type](new Uint8Array(bytes.subarray(begin)).buffer);
  return {shape, data: data instanceof BigInt64Array ? Float64Array.from(data, Number) : data};
}

// MNIST's test images: {count, height, width, pixels}.
function readImages(folder) {
  const name = ['t10k-images-idx3-ubyte', 't10k-images-idx3-ubyte.gz'].map(each => path.join(folder, each)).find(fs.existsSync);
  if (!name) throw new Error(`${folder} has no test images`);
  let bytes = fs.readFileSync(name);
  if (bytes[0] === 0x1f) bytes = zlib.gunzipSync(bytes);
  return {count: bytes.readUInt32BE(4), height: bytes.readUInt32BE(8), width: bytes.readUInt32BE(12), pixels: bytes.subarray(16)};
}

// Rows of a CSV file without quoted fields, as objects of numbers.
function readCsv(file) {
  const [names, ...rows] = fs
    .readFileSync(file, 'utf8')
    .trim()
    .split(/\r?\n/)
    .map(line => line.split(','));
  return rows.map(row => Object.fromEntries(row.map((value, i) => [names[i], value === '' ? NaN : Number(value)])));
}

module.exports = {readNpy, readImages, readCsv};
