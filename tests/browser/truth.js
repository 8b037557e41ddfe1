// truth.js - what a page must show of a run, worked out from the run's files in double precision.
'use strict';
const fs = require('fs');
const path = require('path');
const {readNpy, readCsv} = require('./files.js');

function softmax(logits, start, count) {
  let top = -Infinity,
    sum = 0;
  for (let c = 0; c < count; c++) top = Math.max(top, logits[start + c]);
  const result = new Float64Array(count);
  for (let c = 0; c < count; c++) sum += result[c] = Math.exp(logits[start + c] - top);
  return result.map(value => value / sum);
}

class Truth {
  constructor(folder) {
    const read = name => readNpy(path.join(folder, `${name}.npy`));
    this.folder = folder;
    this.page = path.join(folder, 'report.html');
    this.labels = read('labels').data;
    this.n = this.labels.length;
    this.logits = read('logits');
    this.features = read('features');
    this.maps = {'t-SNE': read('tsne'), PCA: read('pca')};
    this.history = readCsv(path.join(folder, 'history.csv'));
    this.summary = JSON.parse(fs.readFileSync(path.join(folder, 'summary.json'), 'utf8'));
    this.numClasses = this.logits.shape[1];
    this.probabilities = [];
    this.said = new Int32Array(this.n);
    this.confidence = new Float64Array(this.n);
    for (let i = 0; i < this.n; i++) this.addOutputs(i);
    this.wrong = [...this.said.keys()].filter(i => this.said[i] !== this.labels[i]);
    this.accuracy = 1 - this.wrong.length / this.n;
  }

  addOutputs(i) {
    const shares = softmax(this.logits.data, i * this.numClasses, this.numClasses);
    this.probabilities.push(shares);
    this.confidence[i] = Math.max(...shares);
    this.said[i] = shares.indexOf(this.confidence[i]);
  }

  point(map, i) {
    const {shape, data} = this.maps[map];
    return [data[i * shape[1]], data[i * shape[1] + 1]];
  }

  // Distances in the features from a point to every other; to itself it is Infinity.
  distances(i) {
    const width = this.features.shape[1],
      data = this.features.data,
      result = new Float64Array(this.n);
    for (let j = 0; j < this.n; j++) {
      let sum = 0;
      for (let f = 0; f < width; f++) sum += (data[i * width + f] - data[j * width + f]) ** 2;
      result[j] = j === i ? Infinity : Math.sqrt(sum);
    }
    return result;
  }

  // counts[true][predicted] among some points
  confusion(points) {
    const counts = Array.from({length: this.numClasses}, () => new Array(this.numClasses).fill(0));
    for (const i of points || this.labels.keys()) counts[this.labels[i]][this.said[i]]++;
    return counts;
  }
}

// Evenly odd: whether a place lies in a polygon [[x, y], …].
function inside(polygon, [x, y]) {
  let odd = false;
  for (let k = 0; k < polygon.length; k++) {
    const [ax, ay] = polygon[k],
      [bx, by] = polygon[(k + 1) % polygon.length];
    if (ay > y !== by > y && x < ax + ((bx - ax) * (y - ay)) / (by - ay)) odd = !odd;
  }
  return odd;
}

module.exports = {Truth, inside};
