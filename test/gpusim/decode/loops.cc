#include "loops.h"

#include <algorithm>
#include <map>

namespace gpusim {
namespace {

// Edges back to a block of the current path of a depth-first walk; in code of a compiler those are the edges to loop headers.
std::vector<std::pair<int32_t, int32_t>> back_edges(const std::vector<BasicBlock>& blocks) {
  enum : char { kNew, kOnPath, kDone };
  std::vector<std::pair<int32_t, int32_t>> edges;
  std::vector<char> state(blocks.size() + 1, kNew);
  state[blocks.size()] = kDone;  // the end of the function
  std::vector<std::pair<int32_t, size_t>> path;
  if (!blocks.empty()) path.push_back({0, 0}), state[0] = kOnPath;
  while (!path.empty()) {
    auto& [block, at] = path.back();
    const auto& next = blocks[static_cast<size_t>(block)].next;
    if (at == next.size()) {
      state[static_cast<size_t>(block)] = kDone;
      path.pop_back();
      continue;
    }
    const int32_t to = next[at++];
    char& seen = state[static_cast<size_t>(to)];
    if (seen == kOnPath) edges.push_back({block, to});
    if (seen == kNew) seen = kOnPath, path.push_back({to, 0});
  }
  return edges;
}

}  // namespace

std::vector<Loop> find_loops(const std::vector<BasicBlock>& blocks) {
  std::vector<std::vector<int32_t>> before(blocks.size() + 1);
  for (size_t b = 0; b < blocks.size(); ++b)
    for (int32_t next : blocks[b].next) before[static_cast<size_t>(next)].push_back(static_cast<int32_t>(b));
  std::map<int32_t, std::vector<char>> bodies;  // by header
  for (const auto& [latch, header] : back_edges(blocks)) {
    std::vector<char>& body = bodies[header];
    body.resize(blocks.size(), 0);
    body[static_cast<size_t>(header)] = 1;
    for (std::vector<int32_t> todo{latch}; !todo.empty();) {
      const int32_t block = todo.back();
      todo.pop_back();
      if (body[static_cast<size_t>(block)]) continue;
      body[static_cast<size_t>(block)] = 1;
      for (int32_t b : before[static_cast<size_t>(block)]) todo.push_back(b);
    }
  }
  std::vector<Loop> loops;
  for (const auto& [header, body] : bodies) {
    Loop loop{header, -1, true, {}};
    for (size_t b = 0; b < body.size(); ++b)
      if (body[b]) loop.blocks.push_back(static_cast<int32_t>(b));
    loops.push_back(std::move(loop));
  }
  std::stable_sort(loops.begin(), loops.end(), [](const Loop& a, const Loop& b) { return a.blocks.size() > b.blocks.size(); });
  for (size_t i = 0; i < loops.size(); ++i)
    for (size_t outer = i; outer-- > 0;)  // the smallest one that has the header
      if (bodies[loops[outer].header][static_cast<size_t>(loops[i].header)]) {
        loops[i].parent = static_cast<int>(outer);
        loops[outer].innermost = false;
        break;
      }
  return loops;
}

}  // namespace gpusim
