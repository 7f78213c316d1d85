#include "flow.h"

#include <algorithm>

namespace gpusim {
namespace {

enum Kind { kStraight, kBranch, kTable, kEnd };

Kind kind_of(const Inst& in) {
  if (in.flow != Flow::kControl) return kStraight;
  const std::string_view op = in.source->parts[0];
  if (op == "bra") return kBranch;
  if (in.is_table) return kTable;
  return op == "ret" || op == "exit" ? kEnd : kStraight;
}

}  // namespace

std::vector<BasicBlock> basic_blocks(const std::vector<Inst>& code) {
  const auto size = static_cast<int32_t>(code.size());
  std::vector<char> leader(code.size() + 1, 0);
  leader[0] = 1;
  const auto lead = [&](int32_t at) { leader[static_cast<size_t>(at)] = 1; };
  for (int32_t i = 0; i < size; ++i) {
    const Inst& in = code[static_cast<size_t>(i)];
    const Kind kind = kind_of(in);
    if (kind == kStraight) continue;
    lead(i + 1);
    if (kind == kBranch) lead(in.target);
    if (kind == kTable)
      for (int32_t target : *static_cast<const std::vector<int32_t>*>(in.data)) lead(target);
  }
  std::vector<BasicBlock> blocks;
  std::vector<int32_t> block_at(code.size() + 1, -1);
  for (int32_t i = 0; i < size; ++i) {
    if (leader[static_cast<size_t>(i)]) blocks.push_back({i, i, {}});
    blocks.back().end = i + 1;
    block_at[static_cast<size_t>(i)] = static_cast<int32_t>(blocks.size()) - 1;
  }
  const auto end = static_cast<int32_t>(blocks.size());
  block_at[code.size()] = end;
  for (BasicBlock& block : blocks) {
    const Inst& last = code[static_cast<size_t>(block.end - 1)];
    const Kind kind = kind_of(last);
    if (kind == kBranch) block.next.push_back(block_at[static_cast<size_t>(last.target)]);
    if (kind == kTable)
      for (int32_t target : *static_cast<const std::vector<int32_t>*>(last.data))
        block.next.push_back(block_at[static_cast<size_t>(target)]);
    if (kind == kEnd) block.next.push_back(end);
    if (kind == kStraight || last.guarded) block.next.push_back(block_at[static_cast<size_t>(block.end)]);
  }
  return blocks;
}

// The algorithm of Cooper, Harvey and Kennedy ("A simple, fast dominance algorithm") on the reversed graph.
void find_reconvergence(std::vector<Inst>& code, const std::vector<BasicBlock>& blocks) {
  const auto count = static_cast<int32_t>(blocks.size());
  std::vector<std::vector<int32_t>> before(blocks.size() + 1);
  for (int32_t b = 0; b < count; ++b)
    for (int32_t next : blocks[static_cast<size_t>(b)].next) before[static_cast<size_t>(next)].push_back(b);
  std::vector<int32_t> order, number(blocks.size() + 1, -1);  // postorder from the end
  std::vector<std::pair<int32_t, size_t>> stack{{count, 0}};
  std::vector<char> seen(blocks.size() + 1, 0);
  seen[static_cast<size_t>(count)] = 1;
  while (!stack.empty()) {
    auto& [node, at] = stack.back();
    const auto& list = before[static_cast<size_t>(node)];
    if (at < list.size()) {
      const int32_t b = list[at++];
      if (!seen[static_cast<size_t>(b)]) seen[static_cast<size_t>(b)] = 1, stack.push_back({b, 0});
    } else {
      number[static_cast<size_t>(node)] = static_cast<int32_t>(order.size());
      order.push_back(node);
      stack.pop_back();
    }
  }
  std::vector<int32_t> post(blocks.size() + 1, -1);
  post[static_cast<size_t>(count)] = count;
  const auto meet = [&](int32_t a, int32_t b) {
    while (a != b) {
      while (number[static_cast<size_t>(a)] < number[static_cast<size_t>(b)]) a = post[static_cast<size_t>(a)];
      while (number[static_cast<size_t>(b)] < number[static_cast<size_t>(a)]) b = post[static_cast<size_t>(b)];
    }
    return a;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (auto at = order.rbegin(); at != order.rend(); ++at) {
      if (*at == count) continue;
      int32_t chosen = -1;
      for (int32_t next : blocks[static_cast<size_t>(*at)].next)
        if (number[static_cast<size_t>(next)] >= 0 && post[static_cast<size_t>(next)] >= 0) chosen = chosen < 0 ? next : meet(chosen, next);
      if (chosen >= 0 && post[static_cast<size_t>(*at)] != chosen) post[static_cast<size_t>(*at)] = chosen, changed = true;
    }
  }
  for (int32_t b = 0; b < count; ++b) {
    Inst& last = code[static_cast<size_t>(blocks[static_cast<size_t>(b)].end - 1)];
    const int32_t at = post[static_cast<size_t>(b)];
    last.reconverge = at >= 0 && at < count ? blocks[static_cast<size_t>(at)].first : -1;
  }
}

}  // namespace gpusim
